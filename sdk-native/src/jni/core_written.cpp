// SPDX-License-Identifier: Apache-2.0
// io.cairn.natives.NativeWrittenPages: conversions and calls.
#include "page/devices.hpp"
#include "page/page_tracker.hpp"
#include "page/touched.hpp"
#include "jni_support.hpp"

using namespace cairn;

extern "C" {

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeWrittenPages_open(JNIEnv*, jclass) {
  return reinterpret_cast<jlong>(new PageTracker);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeWrittenPages_close0(JNIEnv*, jclass, jlong tracker) {
  delete at<PageTracker>(tracker);
}

JNIEXPORT jint JNICALL Java_io_cairn_natives_NativeWrittenPages_tracking(JNIEnv*, jclass, jlong tracker) {
  return static_cast<jint>(at<PageTracker>(tracker)->tracking());
}

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeWrittenPages_reason(JNIEnv* env, jclass, jlong tracker) {
  return toJava(env, at<PageTracker>(tracker)->reason());
}

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeWrittenPages_writingDevice(JNIEnv* env, jclass) {
  return toJava(env, writingDevice());
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeWrittenPages_endCut0(JNIEnv*, jclass, jlong tracker) {
  at<PageTracker>(tracker)->endCut();
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeWrittenPages_touched(JNIEnv* env, jclass, jlongArray bounds) {
  std::vector<jlong> values(static_cast<size_t>(env->GetArrayLength(bounds)));
  env->GetLongArrayRegion(bounds, 0, static_cast<jsize>(values.size()), values.data());
  std::vector<MemoryRange> ranges;
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    ranges.push_back({static_cast<uintptr_t>(values[i]), static_cast<uintptr_t>(values[i + 1])});
  }
  setTouched(std::move(ranges));
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeWrittenPages_create(JNIEnv*, jclass, jlong tracker, jlong address,
                                                                        jlong bytes) {
  return reinterpret_cast<jlong>(
      new TrackedRegion(*at<PageTracker>(tracker), static_cast<uintptr_t>(address), static_cast<size_t>(bytes)));
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeWrittenPages_destroy(JNIEnv*, jclass, jlong region) {
  delete at<TrackedRegion>(region);
}

JNIEXPORT jboolean JNICALL Java_io_cairn_natives_NativeWrittenPages_begin(JNIEnv*, jclass, jlong region, jint every) {
  return at<TrackedRegion>(region)->begin(static_cast<unsigned>(every));
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeWrittenPages_end(JNIEnv*, jclass, jlong region) {
  at<TrackedRegion>(region)->end();
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeWrittenPages_scan(JNIEnv*, jclass, jlong region) {
  return static_cast<jlong>(at<TrackedRegion>(region)->scan());
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeWrittenPages_clear(JNIEnv*, jclass, jlong region) {
  at<TrackedRegion>(region)->clear();
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeWrittenPages_watched(JNIEnv*, jclass, jlong region) {
  return static_cast<jlong>(at<TrackedRegion>(region)->watched());
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeWrittenPages_pages(JNIEnv*, jclass, jlong region) {
  return static_cast<jlong>(at<TrackedRegion>(region)->pages());
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeWrittenPages_first(JNIEnv*, jclass, jlong region) {
  return static_cast<jlong>(at<TrackedRegion>(region)->first());
}

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeWrittenPages_problem(JNIEnv* env, jclass, jlong region) {
  return toJava(env, at<TrackedRegion>(region)->problem());
}

JNIEXPORT jint JNICALL Java_io_cairn_natives_NativeWrittenPages_runs(JNIEnv* env, jclass, jlong region, jlong from,
                                                                     jlongArray bounds) {
  jsize length = env->GetArrayLength(bounds);
  // Nothing below calls back or waits.
  void* values = env->GetPrimitiveArrayCritical(bounds, nullptr);
  if (!values) return 0;
  size_t count = at<TrackedRegion>(region)->runs(static_cast<size_t>(from), static_cast<size_t>(length) / 2,
                                                 static_cast<uint64_t*>(values));
  env->ReleasePrimitiveArrayCritical(bounds, values, 0);
  return static_cast<jint>(count);
}
}
