// SPDX-License-Identifier: Apache-2.0
// io.cairn.natives.NativeErasureCode: conversions and calls.
#include "jni_support.hpp"
#include "parity/recipe.hpp"

using namespace cairn;

namespace {

uint8_t* address(JNIEnv* env, jobject buffer, jint position) {
  return static_cast<uint8_t*>(env->GetDirectBufferAddress(buffer)) + position;
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeErasureCode_create(JNIEnv* env, jclass, jint dataShards,
                                                                       jint parityShards, jintArray available,
                                                                       jint wanted) {
  std::vector<int> shards(static_cast<size_t>(env->GetArrayLength(available)));
  env->GetIntArrayRegion(available, 0, static_cast<jsize>(shards.size()), shards.data());
  return guarded(
      env, [&] { return reinterpret_cast<jlong>(new Recipe(dataShards, parityShards, shards, wanted)); },
      "java/lang/IllegalArgumentException");
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeErasureCode_destroy(JNIEnv*, jclass, jlong recipe) {
  delete at<Recipe>(recipe);
}

// Offsets: of each source, then of the destination.
JNIEXPORT void JNICALL Java_io_cairn_natives_NativeErasureCode_combine(JNIEnv* env, jclass, jlong recipe,
                                                                       jobjectArray sources, jobject destination,
                                                                       jintArray offsets, jint length) {
  jint starts[Recipe::kMaxShards + 1];
  const uint8_t* from[Recipe::kMaxShards];
  jsize count = env->GetArrayLength(sources);
  env->GetIntArrayRegion(offsets, 0, count + 1, starts);
  uint8_t* to = address(env, destination, starts[count]);
  for (jsize i = 0; i < count; i++) {
    jobject source = env->GetObjectArrayElement(sources, i);
    from[i] = address(env, source, starts[i]);
    env->DeleteLocalRef(source);
    if (from[i] < to + length && to < from[i] + length) {
      throwJava(env, "java/lang/IllegalArgumentException",
                "source " + std::to_string(i) + " shares memory with the destination");
      return;
    }
  }
  guarded(env, [&] { at<Recipe>(recipe)->combine(from, to, length); });
}
}
