// SPDX-License-Identifier: Apache-2.0
// What a message costs between two ranks: half round trips and the rate of small messages, at MPI_THREAD_MULTIPLE. Run
// it as it is, or with the shim in LD_PRELOAD. --agent adds a thread that does what an idle agent does. Rank 0 prints
// one line per figure: its name, and the best batch in nanoseconds per message.
#define _POSIX_C_SOURCE 200809L
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOW = 64, LARGEST = 1 << 20, TAG = 7, MAXIMA = 12, SUMS = 12 };

static int rank;
static char* buffer;
static atomic_int stopping;
static long pulses;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void pause_nanos(long nanos) {
  struct timespec t = {nanos / 1000000000, nanos % 1000000000};
  nanosleep(&t, NULL);
}

// Two reductions every 5 ms, polled at the same pace; the ranks end with the same pulse.
static void* agent(void* unused) {
  (void)unused;
  MPI_Comm comm;
  PMPI_Comm_dup(MPI_COMM_WORLD, &comm);
  int64_t max[MAXIMA] = {0}, sum[SUMS] = {0}, max_out[MAXIMA], sum_out[SUMS];
  for (;;) {
    MPI_Request requests[2];
    max[0] = !atomic_load(&stopping);
    PMPI_Iallreduce(max, max_out, MAXIMA, MPI_INT64_T, MPI_MAX, comm, &requests[0]);
    PMPI_Iallreduce(sum, sum_out, SUMS, MPI_UINT64_T, MPI_SUM, comm, &requests[1]);
    for (int done = 0; !done;) {
      pause_nanos(5 * 1000 * 1000);
      PMPI_Testall(2, requests, &done, MPI_STATUSES_IGNORE);
    }
    pulses++;
    if (max_out[0] == 0) break;
  }
  PMPI_Comm_free(&comm);
  return NULL;
}

static double half_round_trip(int bytes, int count) {
  MPI_Barrier(MPI_COMM_WORLD);
  double begin = now();
  for (int i = 0; i < count; i++) {
    if (rank == 0) {
      MPI_Send(buffer, bytes, MPI_BYTE, 1, TAG, MPI_COMM_WORLD);
      MPI_Recv(buffer, bytes, MPI_BYTE, 1, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else if (rank == 1) {
      MPI_Recv(buffer, bytes, MPI_BYTE, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Send(buffer, bytes, MPI_BYTE, 0, TAG, MPI_COMM_WORLD);
    }
  }
  return (now() - begin) / count / 2;
}

// Non-blocking messages in windows, each window acknowledged.
static double per_message(int bytes, int count) {
  MPI_Request requests[WINDOW];
  MPI_Barrier(MPI_COMM_WORLD);
  double begin = now();
  for (int i = 0; i < count; i++) {
    for (int w = 0; w < WINDOW; w++) {
      char* at = buffer + (size_t)w * (size_t)bytes;
      if (rank == 0) MPI_Isend(at, bytes, MPI_BYTE, 1, TAG, MPI_COMM_WORLD, &requests[w]);
      if (rank == 1) MPI_Irecv(at, bytes, MPI_BYTE, 0, TAG, MPI_COMM_WORLD, &requests[w]);
    }
    if (rank < 2) MPI_Waitall(WINDOW, requests, MPI_STATUSES_IGNORE);
    if (rank == 0) MPI_Recv(buffer, 0, MPI_BYTE, 1, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank == 1) MPI_Send(buffer, 0, MPI_BYTE, 0, TAG, MPI_COMM_WORLD);
  }
  return (now() - begin) / count / WINDOW;
}

static void best(const char* name, double (*measure)(int, int), int bytes, int count, int batches) {
  double least = 0;
  measure(bytes, count / 10 + 1);
  for (int i = 0; i < batches; i++) {
    double nanos = measure(bytes, count);
    if (i == 0 || nanos < least) least = nanos;
  }
  if (rank == 0) printf("%s %.1f\n", name, least);
}

int main(int argc, char** argv) {
  int provided, size, with_agent = 0;
  double effort = 1;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--agent") == 0) {
      with_agent = 1;
    } else if (strcmp(argv[i], "--effort") == 0 && i + 1 < argc) {
      effort = atof(argv[++i]);
    } else {
      fprintf(stderr, "usage: messaging [--agent] [--effort FACTOR]\n");
      MPI_Abort(MPI_COMM_WORLD, 2);
    }
  }
  if (size < 2 || provided < MPI_THREAD_MULTIPLE) {
    fprintf(stderr, "messaging: found %d ranks at thread level %d, expected 2 at %d\n", size, provided,
            MPI_THREAD_MULTIPLE);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  buffer = calloc(LARGEST, 1);
  pthread_t thread;
  if (with_agent) pthread_create(&thread, NULL, agent, NULL);

  best("half-round-trip-8", half_round_trip, 8, (int)(100000 * effort) + 1, 10);
  best("half-round-trip-65536", half_round_trip, 65536, (int)(4000 * effort) + 1, 10);
  best("half-round-trip-1048576", half_round_trip, LARGEST, (int)(200 * effort) + 1, 10);
  best("per-message-8", per_message, 8, (int)(2000 * effort) + 1, 10);

  if (with_agent) {
    atomic_store(&stopping, 1);
    pthread_join(thread, NULL);
    // An agent that did nothing would cost nothing.
    if (rank == 0) printf("pulses %ld\n", pulses);
  }
  MPI_Finalize();
  free(buffer);
  return 0;
}
