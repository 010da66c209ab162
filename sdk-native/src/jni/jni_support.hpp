// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <jni.h>

#include <exception>
#include <string>
#include <vector>

namespace cairn {

inline void throwJava(JNIEnv* env, const char* type, const std::string& message) {
  jclass c = env->FindClass(type);
  if (c) env->ThrowNew(c, message.c_str());
}

// Runs the body; what it throws becomes a Java exception of that type.
template <class Body>
auto guarded(JNIEnv* env, Body body, const char* type = "java/lang/IllegalStateException") -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& e) {
    throwJava(env, type, e.what());
    return decltype(body())();
  }
}

inline jbyteArray toJava(JNIEnv* env, const char* bytes, size_t length) {
  jbyteArray array = env->NewByteArray(static_cast<jsize>(length));
  if (array) env->SetByteArrayRegion(array, 0, static_cast<jsize>(length), reinterpret_cast<const jbyte*>(bytes));
  return array;
}

inline jstring toJava(JNIEnv* env, const std::string& text) { return env->NewStringUTF(text.c_str()); }

// Parts that lie one after the other, as byte[][].
inline jobjectArray toJava(JNIEnv* env, const std::vector<char>& all, const std::vector<int>& lengths) {
  jobjectArray result = env->NewObjectArray(static_cast<jsize>(lengths.size()), env->FindClass("[B"), nullptr);
  size_t offset = 0;
  for (size_t i = 0; result && i < lengths.size(); i++) {
    jbyteArray element = toJava(env, all.data() + offset, static_cast<size_t>(lengths[i]));
    if (!element) return nullptr;
    env->SetObjectArrayElement(result, static_cast<jsize>(i), element);
    env->DeleteLocalRef(element);
    offset += static_cast<size_t>(lengths[i]);
  }
  return result;
}

inline std::vector<char> fromJava(JNIEnv* env, jbyteArray array) {
  std::vector<char> bytes(static_cast<size_t>(env->GetArrayLength(array)));
  env->GetByteArrayRegion(array, 0, static_cast<jsize>(bytes.size()), reinterpret_cast<jbyte*>(bytes.data()));
  return bytes;
}

inline std::string fromJava(JNIEnv* env, jstring text) {
  const char* chars = env->GetStringUTFChars(text, nullptr);
  std::string copy(chars ? chars : "");
  if (chars) env->ReleaseStringUTFChars(text, chars);
  return copy;
}

template <class T>
T* at(jlong address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace cairn
