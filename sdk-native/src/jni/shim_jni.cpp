// SPDX-License-Identifier: Apache-2.0
// io.cairn.natives.Shim and NativeFabric, and the promotion of this library's symbols.
#include <dlfcn.h>

#include "channel/bytes.hpp"
#include "jni_support.hpp"
#include "shim/fabric.hpp"
#include "shim/shim.hpp"

using namespace cairn;

namespace {

std::vector<int64_t> longs(JNIEnv* env, jlongArray array) {
  std::vector<int64_t> values(static_cast<size_t>(env->GetArrayLength(array)));
  static_assert(sizeof(jlong) == sizeof(int64_t), "");
  env->GetLongArrayRegion(array, 0, static_cast<jsize>(values.size()), reinterpret_cast<jlong*>(values.data()));
  return values;
}

void fill(JNIEnv* env, jlongArray array, const std::vector<int64_t>& values) {
  env->SetLongArrayRegion(array, 0, static_cast<jsize>(values.size()), reinterpret_cast<const jlong*>(values.data()));
}

void agentRuns(bool running) {
  Shim& s = shim();
  std::lock_guard<std::mutex> guard(s.endMutex);
  s.agent = running;
  s.end.notify_all();
}

}  // namespace

extern "C" {

// System.load keeps symbols private. Opened again with RTLD_GLOBAL they come before libmpi's in the lookup of every
// library that is loaded later: libmpi_java calls our MPI_Send.
JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM*, void*) {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&JNI_OnLoad), &self) && self.dli_fname) {
    dlopen(self.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  }
  return JNI_VERSION_1_8;
}

JNIEXPORT void JNICALL Java_io_cairn_natives_Shim_touchPending(JNIEnv*, jclass) { touchPending(); }

JNIEXPORT jstring JNICALL Java_io_cairn_natives_Shim_check(JNIEnv* env, jclass) {
  Shim& s = shim();
  int initialised = 0;
  PMPI_Initialized(&initialised);
  std::string wrong;
  if (!s.failure.empty()) {
    wrong = s.failure;
  } else if (!initialised) {
    wrong = "MPI is not initialised: call MPI.Init (or MPI.InitThread) before Cairn.attach()";
  } else if (!s.initialised) {
    wrong =
        "the MPI shim is not in place: MPI was initialised without it, so no message would be captured. Call "
        "Cairn.load() before any class of package mpi is touched, and don't set LD_BIND_NOW";
  }
  return wrong.empty() ? nullptr : toJava(env, wrong);
}

JNIEXPORT jstring JNICALL Java_io_cairn_natives_Shim_takeWarning(JNIEnv* env, jclass) {
  Shim& s = shim();
  std::string text;
  {
    Guard guard(s.ledger->lock);
    if (s.warned || s.warning.empty()) return nullptr;
    s.warned = true;
    text = s.warning;
  }
  return toJava(env, text);
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_Shim_ledgerHandle(JNIEnv*, jclass, jlong limitBytes) {
  Guard guard(shim().ledger->lock);
  shim().ledger->limit(static_cast<uint64_t>(limitBytes));
  return reinterpret_cast<jlong>(shim().ledger.get());
}

JNIEXPORT void JNICALL Java_io_cairn_natives_Shim_abort(JNIEnv*, jclass, jint code) {
  int initialised = 0, finalised = 0;
  PMPI_Initialized(&initialised);
  PMPI_Finalized(&finalised);
  if (initialised && !finalised) PMPI_Abort(MPI_COMM_WORLD, code);
  _Exit(code);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_Shim_awaitFinalize(JNIEnv*, jclass) {
  Shim& s = shim();
  std::unique_lock<std::mutex> guard(s.endMutex);
  s.end.wait(guard, [&] { return s.finalizing; });
}

JNIEXPORT void JNICALL Java_io_cairn_natives_Shim_agentStarted(JNIEnv*, jclass) { agentRuns(true); }

JNIEXPORT void JNICALL Java_io_cairn_natives_Shim_agentEnded(JNIEnv*, jclass) { agentRuns(false); }

JNIEXPORT void JNICALL Java_io_cairn_natives_Shim_drain(JNIEnv*, jclass, jlong) { drain(); }

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeHold_begin(JNIEnv*, jobject, jlong limitNanos) {
  shim().hold.begin(limitNanos);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeHold_end(JNIEnv*, jobject) { shim().hold.end(); }

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeHold_overdue(JNIEnv* env, jobject) {
  std::string call = shim().hold.overdue();
  return call.empty() ? nullptr : toJava(env, call);
}

JNIEXPORT jboolean JNICALL Java_io_cairn_natives_NativeHold_isWaiting(JNIEnv*, jobject) {
  return shim().hold.waiting();
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeHold_waitedNanos(JNIEnv*, jobject) {
  return shim().hold.waitedNanos();
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeHold_drain(JNIEnv*, jobject) { drainHeld(); }

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeHold_announce(JNIEnv*, jobject) { shim().hold.announce(); }

JNIEXPORT jboolean JNICALL Java_io_cairn_natives_NativeHold_synchronousUsed(JNIEnv*, jobject) {
  return shim().hold.synchronousUsed();
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeHold_synchronousKnown(JNIEnv*, jobject) {
  shim().hold.synchronousKnown();
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeHold_stop(JNIEnv*, jobject) { shim().hold.stop(); }

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeFabric_open0(JNIEnv* env, jclass) {
  return guarded(env, [] { return reinterpret_cast<jlong>(new Fabric); });
}

JNIEXPORT jint JNICALL Java_io_cairn_natives_NativeFabric_rank(JNIEnv*, jclass, jlong fabric) {
  return at<Fabric>(fabric)->rank();
}

JNIEXPORT jint JNICALL Java_io_cairn_natives_NativeFabric_size(JNIEnv*, jclass, jlong fabric) {
  return at<Fabric>(fabric)->size();
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeFabric_startPulse(JNIEnv* env, jclass, jlong fabric, jlongArray max,
                                                                     jlongArray sum) {
  guarded(env, [&] { at<Fabric>(fabric)->startPulse(longs(env, max), longs(env, sum)); });
}

JNIEXPORT jboolean JNICALL Java_io_cairn_natives_NativeFabric_testPulse(JNIEnv* env, jclass, jlong fabric,
                                                                        jlongArray max, jlongArray sum) {
  return guarded(env, [&]() -> jboolean {
    if (!at<Fabric>(fabric)->testPulse()) return JNI_FALSE;
    fill(env, max, at<Fabric>(fabric)->max());
    fill(env, sum, at<Fabric>(fabric)->sum());
    return JNI_TRUE;
  });
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeFabric_send(JNIEnv* env, jclass, jlong fabric, jint destination,
                                                               jbyteArray message) {
  guarded(env, [&] { at<Fabric>(fabric)->send(destination, fromJava(env, message)); });
}

// The source as a little-endian int, then the message; null if none has arrived.
JNIEXPORT jbyteArray JNICALL Java_io_cairn_natives_NativeFabric_poll(JNIEnv* env, jclass, jlong fabric) {
  return guarded(env, [&]() -> jbyteArray {
    int source;
    std::vector<char> message, framed;
    if (!at<Fabric>(fabric)->poll(source, message)) return nullptr;
    put<int32_t>(framed, source);
    framed.insert(framed.end(), message.begin(), message.end());
    return toJava(env, framed.data(), framed.size());
  });
}

JNIEXPORT jobjectArray JNICALL Java_io_cairn_natives_NativeFabric_allGather(JNIEnv* env, jclass, jlong fabric,
                                                                            jbyteArray mine) {
  return guarded(env, [&]() -> jobjectArray {
    std::vector<int> lengths;
    std::vector<char> all = at<Fabric>(fabric)->allGather(fromJava(env, mine), lengths);
    return toJava(env, all, lengths);
  });
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeFabric_close(JNIEnv* env, jclass, jlong fabric) {
  guarded(env, [&] {
    at<Fabric>(fabric)->close();
    delete at<Fabric>(fabric);
  });
}
}
