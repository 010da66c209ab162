// SPDX-License-Identifier: Apache-2.0
// io.cairn.natives.NativeTransport: conversions and calls.
#include "jni_support.hpp"
#include "shim/transport.hpp"

using namespace cairn;

namespace {

constexpr char kFailure[] = "io/cairn/store/TransportException";

char* address(JNIEnv* env, jobject buffer, jint position) {
  return static_cast<char*>(env->GetDirectBufferAddress(buffer)) + position;
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeTransport_open0(JNIEnv* env, jclass) {
  return guarded(env, [] { return reinterpret_cast<jlong>(new Transport); }, kFailure);
}

JNIEXPORT jint JNICALL Java_io_cairn_natives_NativeTransport_rank(JNIEnv*, jclass, jlong transport) {
  return at<Transport>(transport)->rank();
}

JNIEXPORT jint JNICALL Java_io_cairn_natives_NativeTransport_size(JNIEnv*, jclass, jlong transport) {
  return at<Transport>(transport)->size();
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeTransport_send(JNIEnv* env, jclass, jlong transport,
                                                                   jint destination, jint tag, jobject data,
                                                                   jint position, jint length) {
  return guarded(
      env,
      [&] {
        return reinterpret_cast<jlong>(
            at<Transport>(transport)->send(destination, tag, address(env, data, position), length));
      },
      kFailure);
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeTransport_receive(JNIEnv* env, jclass, jlong transport,
                                                                      jint source, jint tag, jobject room,
                                                                      jint position, jint length) {
  return guarded(
      env,
      [&] {
        return reinterpret_cast<jlong>(
            at<Transport>(transport)->receive(source, tag, address(env, room, position), length));
      },
      kFailure);
}

JNIEXPORT jint JNICALL Java_io_cairn_natives_NativeTransport_test(JNIEnv* env, jclass, jlong transport,
                                                                  jlong transfer) {
  return guarded(
      env, [&] { return at<Transport>(transport)->test(at<Transport::Transfer>(transfer)); }, kFailure);
}

JNIEXPORT jboolean JNICALL Java_io_cairn_natives_NativeTransport_cancel(JNIEnv* env, jclass, jlong transport,
                                                                        jlong transfer) {
  return guarded(
      env,
      [&]() -> jboolean { return at<Transport>(transport)->cancel(at<Transport::Transfer>(transfer)); }, kFailure);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeTransport_startGather(JNIEnv* env, jclass, jlong transport,
                                                                         jbyteArray mine) {
  guarded(env, [&] { at<Transport>(transport)->startGather(fromJava(env, mine)); }, kFailure);
}

JNIEXPORT jboolean JNICALL Java_io_cairn_natives_NativeTransport_testGather(JNIEnv* env, jclass, jlong transport) {
  return guarded(env, [&]() -> jboolean { return at<Transport>(transport)->testGather(); }, kFailure);
}

JNIEXPORT jobjectArray JNICALL Java_io_cairn_natives_NativeTransport_gathered(JNIEnv* env, jclass, jlong transport) {
  return toJava(env, at<Transport>(transport)->gathered(), at<Transport>(transport)->gatheredLengths());
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeTransport_close(JNIEnv* env, jclass, jlong transport) {
  guarded(
      env,
      [&] {
        at<Transport>(transport)->close();
        delete at<Transport>(transport);
      },
      kFailure);
}
}
