// SPDX-License-Identifier: Apache-2.0
// ISA-L by itself, on the same buffers: nothing but its calls in a loop.
#include <isa-l.h>
#include <jni.h>

#include <chrono>
#include <vector>

namespace {

uint8_t* address(JNIEnv* env, jobjectArray buffers, jsize i) {
  jobject buffer = env->GetObjectArrayElement(buffers, i);
  return static_cast<uint8_t*>(env->GetDirectBufferAddress(buffer));
}

}  // namespace

// Nanoseconds for so many rounds. Shards: data, then those parity shards that are to be computed.
extern "C" JNIEXPORT jlong JNICALL Java_io_cairn_benchmarks_ParityBenchmark_reference(JNIEnv* env, jclass,
                                                                                      jint dataShards,
                                                                                      jint parityShards,
                                                                                      jobjectArray shards, jint length,
                                                                                      jint rounds) {
  jsize count = env->GetArrayLength(shards);
  int wanted = count - dataShards;
  std::vector<uint8_t*> at;
  for (jsize i = 0; i < count; i++) at.push_back(address(env, shards, i));
  int rows = dataShards + parityShards;
  std::vector<uint8_t> matrix(static_cast<size_t>(rows) * static_cast<size_t>(dataShards));
  gf_gen_cauchy1_matrix(matrix.data(), rows, dataShards);
  std::vector<uint8_t> tables(32 * static_cast<size_t>(dataShards) * static_cast<size_t>(wanted));
  ec_init_tables(dataShards, wanted, matrix.data() + dataShards * dataShards, tables.data());
  auto begin = std::chrono::steady_clock::now();
  for (jint round = 0; round < rounds; round++) {
    if (parityShards == 1) {
      if (xor_gen(count, length, reinterpret_cast<void**>(at.data())) != 0) return -1;
    } else {
      ec_encode_data(length, dataShards, wanted, tables.data(), at.data(), at.data() + dataShards);
    }
  }
  auto end = std::chrono::steady_clock::now();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count();
}
