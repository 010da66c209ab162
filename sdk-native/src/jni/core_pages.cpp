// SPDX-License-Identifier: Apache-2.0
// io.cairn.natives.NativePages: conversions and calls.
#include "page/pages.hpp"
#include "jni_support.hpp"

using namespace cairn;

extern "C" {

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativePages_pageSize(JNIEnv*, jclass) {
  return static_cast<jlong>(pageSize());
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativePages_map(JNIEnv*, jclass, jlong bytes) {
  return reinterpret_cast<jlong>(allocatePages(static_cast<size_t>(bytes)));
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativePages_unmap(JNIEnv*, jclass, jlong address, jlong bytes) {
  freePages(at<void>(address), static_cast<size_t>(bytes));
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativePages_populate(JNIEnv*, jclass, jlong address, jlong bytes) {
  prefaultPages(at<void>(address), static_cast<size_t>(bytes));
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativePages_huge(JNIEnv*, jclass, jlong address, jlong bytes) {
  return static_cast<jlong>(hugePageBytes(at<void>(address), static_cast<size_t>(bytes)));
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativePages_copy0(JNIEnv*, jclass, jlong source, jlong destination,
                                                               jlong bytes) {
  copyPages(at<void>(destination), at<void>(source), static_cast<size_t>(bytes));
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativePages_dump0(JNIEnv*, jclass, jlong source, jlong destination,
                                                               jlong bytes) {
  dumpPages(at<void>(destination), at<void>(source), static_cast<size_t>(bytes));
}

JNIEXPORT jobject JNICALL Java_io_cairn_natives_NativePages_buffer(JNIEnv* env, jclass, jlong address, jint bytes) {
  return env->NewDirectByteBuffer(at<void>(address), bytes);
}
}
