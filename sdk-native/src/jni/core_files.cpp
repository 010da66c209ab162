// SPDX-License-Identifier: Apache-2.0
// io.cairn.natives.NativeFileSpace: conversions and calls.
#include <cerrno>
#include <cstring>

#include "file/space.hpp"
#include "jni_support.hpp"

using namespace cairn;

extern "C" {

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeFileSpace_reserve(JNIEnv* env, jclass, jbyteArray name,
                                                                        jlong bytes) {
  int error = reserveSpace(fromJava(env, name).data(), bytes);
  if (error == ENOTSUP) return toJava(env, std::string("unsupported"));
  return toJava(env, error ? std::string(std::strerror(error)) : std::string());
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeFileSpace_release(JNIEnv* env, jclass, jbyteArray name) {
  releaseSpace(fromJava(env, name).data());
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeFileSpace_forget(JNIEnv* env, jclass, jbyteArray name) {
  forgetPages(fromJava(env, name).data());
}
}
