// SPDX-License-Identifier: Apache-2.0
// io.cairn.natives.NativeLedger: conversions and calls, each under the ledger's lock.
#include <cstring>
#include <mutex>

#include "channel/bytes.hpp"
#include "channel/ledger.hpp"
#include "jni_support.hpp"

using namespace cairn;
using Guard = std::lock_guard<Lock>;

namespace {

PayloadRef payload(JNIEnv* env, jbyteArray bytes) {
  auto result = std::make_shared<Payload>(static_cast<uint64_t>(env->GetArrayLength(bytes)));
  env->GetByteArrayRegion(bytes, 0, static_cast<jsize>(result->bytes), reinterpret_cast<jbyte*>(result->data.get()));
  return result;
}

// Each element: the destination as a little-endian int, then the marker.
jobjectArray framed(JNIEnv* env, const std::vector<Marker>& markers) {
  jobjectArray result =
      env->NewObjectArray(static_cast<jsize>(markers.size()), env->FindClass("[B"), nullptr);
  for (size_t i = 0; result && i < markers.size(); i++) {
    std::vector<char> bytes;
    put<int32_t>(bytes, markers[i].destination);
    bytes.insert(bytes.end(), markers[i].bytes.begin(), markers[i].bytes.end());
    jbyteArray element = toJava(env, bytes.data(), bytes.size());
    if (!element) return nullptr;
    env->SetObjectArrayElement(result, static_cast<jsize>(i), element);
    env->DeleteLocalRef(element);
  }
  return result;
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeLedger_allocate(JNIEnv*, jclass, jint rank, jlong limitBytes) {
  return reinterpret_cast<jlong>(new Ledger(rank, static_cast<uint64_t>(limitBytes)));
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_destroy(JNIEnv*, jclass, jlong ledger) {
  delete at<Ledger>(ledger);
}

// As framed(). Null if the cut is refused.
JNIEXPORT jobjectArray JNICALL Java_io_cairn_natives_NativeLedger_cut(JNIEnv* env, jclass, jlong ledger, jlong epoch,
                                                                      jlong safePoint) {
  std::vector<Marker> markers;
  if (at<Ledger>(ledger)->beforeCut) at<Ledger>(ledger)->beforeCut();
  {
    Guard guard(at<Ledger>(ledger)->lock);
    if (!at<Ledger>(ledger)->cut(static_cast<uint64_t>(epoch), safePoint, markers)) return nullptr;
  }
  return framed(env, markers);
}

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeLedger_refusal(JNIEnv* env, jclass, jlong ledger) {
  std::string text;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    text = at<Ledger>(ledger)->refusal();
  }
  return toJava(env, text);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_accept(JNIEnv* env, jclass, jlong ledger, jint source,
                                                                 jlong epoch, jbyteArray marker) {
  std::vector<char> bytes = fromJava(env, marker);
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->accept(source, static_cast<uint64_t>(epoch), bytes.data(), bytes.size());
}

// As framed().
JNIEXPORT jobjectArray JNICALL Java_io_cairn_natives_NativeLedger_bareCut(JNIEnv* env, jclass, jlong ledger) {
  std::vector<Marker> markers;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    at<Ledger>(ledger)->bareCut(markers);
  }
  return framed(env, markers);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_acceptBare(JNIEnv* env, jclass, jlong ledger, jint source,
                                                                     jbyteArray marker) {
  std::vector<char> bytes = fromJava(env, marker);
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->acceptBare(source, bytes.data(), bytes.size());
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_markersClosed(JNIEnv*, jclass, jlong ledger) {
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->markersClosed();
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeLedger_missing(JNIEnv*, jclass, jlong ledger) {
  Guard guard(at<Ledger>(ledger)->lock);
  return at<Ledger>(ledger)->missing();
}

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeLedger_fault(JNIEnv* env, jclass, jlong ledger) {
  std::string text;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    text = at<Ledger>(ledger)->fault();
  }
  return text.empty() ? nullptr : toJava(env, text);
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeLedger_channelFingerprint(JNIEnv*, jclass, jlong ledger) {
  Guard guard(at<Ledger>(ledger)->lock);
  return static_cast<jlong>(at<Ledger>(ledger)->channelFingerprint());
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeLedger_collectiveFingerprint(JNIEnv*, jclass, jlong ledger) {
  Guard guard(at<Ledger>(ledger)->lock);
  return static_cast<jlong>(at<Ledger>(ledger)->collectiveFingerprint());
}

// Lines of: communicator in hex, root, members, count at the cut, last call or "-", name; separated by tabs.
JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeLedger_collectiveCounts(JNIEnv* env, jclass, jlong ledger) {
  std::string text;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    for (const auto& entry : at<Ledger>(ledger)->communicators()) {
      const Communicator& c = entry.second;
      char id[17];
      snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(entry.first));
      text += std::string(id) + "\t" + std::to_string(c.root) + "\t" + std::to_string(c.members) + "\t" +
              std::to_string(c.atCut) + "\t" + (*c.lastCallAtCut ? c.lastCallAtCut : "-") + "\t" + c.name + "\n";
    }
  }
  return toJava(env, text);
}

// {state address, state bytes, counts address, counts bytes, messages}; freed by release().
JNIEXPORT jlongArray JNICALL Java_io_cairn_natives_NativeLedger_seal(JNIEnv* env, jclass, jlong ledger) {
  std::vector<Message> state;
  std::vector<char> counts;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    state = at<Ledger>(ledger)->seal();
    counts = at<Ledger>(ledger)->counts();
  }
  // Encoded outside the lock: the payloads are shared and don't change any more.
  auto* stateBytes = new std::vector<char>(Ledger::encode(state));
  auto* countBytes = new std::vector<char>(std::move(counts));
  jlong values[7] = {reinterpret_cast<jlong>(stateBytes->data()), static_cast<jlong>(stateBytes->size()),
                     reinterpret_cast<jlong>(countBytes->data()), static_cast<jlong>(countBytes->size()),
                     static_cast<jlong>(state.size()),            reinterpret_cast<jlong>(stateBytes),
                     reinterpret_cast<jlong>(countBytes)};
  jlongArray result = env->NewLongArray(7);
  if (result) env->SetLongArrayRegion(result, 0, 7, values);
  return result;
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_release(JNIEnv*, jclass, jlong first, jlong second) {
  delete at<std::vector<char>>(first);
  delete at<std::vector<char>>(second);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_commit(JNIEnv*, jclass, jlong ledger) {
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->commit();
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_abandon(JNIEnv*, jclass, jlong ledger) {
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->abandon();
}

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeLedger_surplus(JNIEnv* env, jclass, jlong ledger, jlong address,
                                                                     jlong bytes) {
  std::string text;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    text = at<Ledger>(ledger)->surplus(at<const char>(address), static_cast<uint64_t>(bytes));
  }
  return text.empty() ? nullptr : toJava(env, text);
}

JNIEXPORT jstring JNICALL Java_io_cairn_natives_NativeLedger_restore(JNIEnv* env, jclass, jlong ledger, jlong address,
                                                                     jlong bytes) {
  std::string text;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    text = at<Ledger>(ledger)->restore(at<const char>(address), static_cast<uint64_t>(bytes));
  }
  return text.empty() ? nullptr : toJava(env, text);
}

JNIEXPORT jlongArray JNICALL Java_io_cairn_natives_NativeLedger_statistics(JNIEnv* env, jclass, jlong ledger) {
  LedgerStatistics s;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    s = at<Ledger>(ledger)->statistics();
  }
  jlong values[5] = {static_cast<jlong>(s.late), static_cast<jlong>(s.drained), static_cast<jlong>(s.replayed),
                     static_cast<jlong>(s.queued), static_cast<jlong>(s.bareCuts)};
  jlongArray result = env->NewLongArray(5);
  if (result) env->SetLongArrayRegion(result, 0, 5, values);
  return result;
}

// Without the lock: the agent asks in each pulse, and would take it from the thread that it favours.
JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeLedger_channels(JNIEnv*, jclass, jlong ledger) {
  return static_cast<jlong>(at<Ledger>(ledger)->channels());
}

// --- for a program that doesn't come through the shim: the simulation ------------------------------------------------

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_sent(JNIEnv*, jclass, jlong ledger, jlong communicator,
                                                               jint destination, jint tag) {
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->sent(static_cast<uint64_t>(communicator), destination, tag);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_synchronous(JNIEnv*, jclass, jlong ledger,
                                                                      jlong communicator, jint destination, jint tag,
                                                                      jint change) {
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->synchronous(static_cast<uint64_t>(communicator), destination, tag, change);
}

JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeLedger_post(JNIEnv*, jclass, jlong ledger, jlong communicator,
                                                                jint source, jint tag) {
  Guard guard(at<Ledger>(ledger)->lock);
  return reinterpret_cast<jlong>(at<Ledger>(ledger)->post(static_cast<uint64_t>(communicator), source, tag));
}

// A receive served from the queue, or 0.
JNIEXPORT jlong JNICALL Java_io_cairn_natives_NativeLedger_take(JNIEnv*, jclass, jlong ledger, jlong communicator,
                                                                jint source, jint tag) {
  Guard guard(at<Ledger>(ledger)->lock);
  const Queued* message = at<Ledger>(ledger)->find(static_cast<uint64_t>(communicator), source, tag);
  return message ? reinterpret_cast<jlong>(at<Ledger>(ledger)->take(message)) : 0;
}

// {source, tag, length} of the queued message, or null.
JNIEXPORT jintArray JNICALL Java_io_cairn_natives_NativeLedger_probe(JNIEnv* env, jclass, jlong ledger,
                                                                     jlong communicator, jint source, jint tag) {
  jint values[3];
  {
    Guard guard(at<Ledger>(ledger)->lock);
    const Queued* message = at<Ledger>(ledger)->find(static_cast<uint64_t>(communicator), source, tag);
    if (!message) return nullptr;
    values[0] = message->source;
    values[1] = message->tag;
    values[2] = static_cast<jint>(message->payload->bytes);
  }
  jintArray result = env->NewIntArray(3);
  if (result) env->SetIntArrayRegion(result, 0, 3, values);
  return result;
}

JNIEXPORT jintArray JNICALL Java_io_cairn_natives_NativeLedger_envelope(JNIEnv* env, jclass, jlong receive) {
  jint values[2] = {at<Receive>(receive)->source, at<Receive>(receive)->tag};
  jintArray result = env->NewIntArray(2);
  if (result) env->SetIntArrayRegion(result, 0, 2, values);
  return result;
}

JNIEXPORT jbyteArray JNICALL Java_io_cairn_natives_NativeLedger_payload(JNIEnv* env, jclass, jlong receive) {
  const PayloadRef& bytes = at<Receive>(receive)->payload;
  return toJava(env, bytes->data.get(), bytes->bytes);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_completed(JNIEnv* env, jclass, jlong ledger, jlong receive,
                                                                    jint source, jint tag, jbyteArray bytes) {
  PayloadRef copy = payload(env, bytes);
  Guard guard(at<Ledger>(ledger)->lock);
  Ledger* l = at<Ledger>(ledger);
  Receive* r = at<Receive>(receive);
  if (l->completedSimply(r, source, tag)) return;  // tried first, as the shim does
  l->completed(r, source, tag, l->wants(r, source, tag) ? copy : nullptr);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_cancelled(JNIEnv*, jclass, jlong ledger, jlong receive) {
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->cancelled(at<Receive>(receive));
}

JNIEXPORT jboolean JNICALL Java_io_cairn_natives_NativeLedger_mayBeLate(JNIEnv*, jclass, jlong ledger, jlong receive) {
  Guard guard(at<Ledger>(ledger)->lock);
  return at<Ledger>(ledger)->mayBeLate(at<Receive>(receive));
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_peeked(JNIEnv* env, jclass, jlong ledger, jlong receive,
                                                                 jint source, jint tag, jbyteArray bytes) {
  PayloadRef copy = payload(env, bytes);
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->peeked(at<Receive>(receive), source, tag, copy);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_drained(JNIEnv* env, jclass, jlong ledger,
                                                                  jlong communicator, jint source, jint tag,
                                                                  jbyteArray bytes) {
  PayloadRef copy = payload(env, bytes);
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->drained(static_cast<uint64_t>(communicator), source, tag, copy);
}

// Pairs of (communicator, source) with late messages that may be taken off the network.
JNIEXPORT jlongArray JNICALL Java_io_cairn_natives_NativeLedger_drainable(JNIEnv* env, jclass, jlong ledger) {
  std::vector<jlong> pairs;
  {
    Guard guard(at<Ledger>(ledger)->lock);
    for (const auto& wish : at<Ledger>(ledger)->drainable()) {
      pairs.push_back(static_cast<jlong>(wish.first));
      pairs.push_back(wish.second);
    }
  }
  jlongArray result = env->NewLongArray(static_cast<jsize>(pairs.size()));
  if (result) env->SetLongArrayRegion(result, 0, static_cast<jsize>(pairs.size()), pairs.data());
  return result;
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_communicator(JNIEnv* env, jclass, jlong ledger,
                                                                       jlong communicator, jstring name, jint members,
                                                                       jint rank, jint root) {
  std::string text = fromJava(env, name);
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->communicator(static_cast<uint64_t>(communicator), text, members, rank, root);
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_collective(JNIEnv*, jclass, jlong ledger,
                                                                     jlong communicator) {
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->collective(static_cast<uint64_t>(communicator), "MPI_Allreduce");
}

JNIEXPORT void JNICALL Java_io_cairn_natives_NativeLedger_veto(JNIEnv* env, jclass, jlong ledger, jstring reason) {
  std::string text = fromJava(env, reason);
  Guard guard(at<Ledger>(ledger)->lock);
  at<Ledger>(ledger)->veto(text);
}
}
