// SPDX-License-Identifier: Apache-2.0
// What a message costs between two ranks: half round trips and the rate of small messages, at MPI_THREAD_MULTIPLE. Rank 0
// prints one line per figure: its name, and the best batch in nanoseconds per message.
//
// With --sides LIBRARY, which needs the shim in LD_PRELOAD, each figure has five sides, measured in turns within one
// process, because the same two cores may be twice as fast in one run as in the next: MPI alone (its functions below the
// shim, the agent silent), the least that any shim must do which counts non-blocking receives by channel (".least"), the
// shim (".shim"), the shim with a thread that does what an idle agent does (".both"), and the same after a cut
// (".epoch"), which the library makes.
#define _GNU_SOURCE
#include <dlfcn.h>
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
static atomic_int stopping, silence_wanted = 1, silent;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long pulses;
static void (*begin_epoch)(void);  // both null without --sides
static void (*end_epoch)(void);

struct calls {
  int (*send)(const void*, int, MPI_Datatype, int, int, MPI_Comm);
  int (*recv)(void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Status*);
  int (*isend)(const void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request*);
  int (*irecv)(void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request*);
  int (*waitall)(int, MPI_Request[], MPI_Status[]);
};
static const struct calls above = {MPI_Send, MPI_Recv, MPI_Isend, MPI_Irecv, MPI_Waitall};
static const struct calls below = {PMPI_Send, PMPI_Recv, PMPI_Isend, PMPI_Irecv, PMPI_Waitall};

// The least bookkeeping: what was asked for when a request is made is found again when it has completed. No lock, no
// order, no wildcards, no case for anything unusual.
static struct entry {
  MPI_Request request;
  MPI_Comm comm;
  int source, tag;
} entries[1024];
static struct entry counted;
static long received;

static struct entry* entry_of(MPI_Request request) {
  return &entries[((uintptr_t)request * 0x9e3779b97f4a7c15u) >> 54];
}

static int least_irecv(void* at, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
                       MPI_Request* request) {
  int result = PMPI_Irecv(at, count, type, source, tag, comm, request);
  *entry_of(*request) = (struct entry){*request, comm, source, tag};
  return result;
}

static int least_waitall(int count, MPI_Request requests[], MPI_Status statuses[]) {
  struct entry* found[WINDOW];
  for (int i = 0; i < count; i++) {
    struct entry* entry = entry_of(requests[i]);
    found[i] = entry->request == requests[i] ? entry : NULL;
  }
  int result = PMPI_Waitall(count, requests, statuses);
  for (int i = 0; i < count; i++) {
    if (!found[i]) continue;
    if (counted.comm != found[i]->comm || counted.source != found[i]->source || counted.tag != found[i]->tag) {
      counted = *found[i];
      received = 0;
    }
    received++;
    found[i]->request = NULL;
  }
  return result;
}

static const struct calls least = {PMPI_Send, PMPI_Recv, PMPI_Isend, least_irecv, least_waitall};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void pause_nanos(long nanos) {
  struct timespec t = {nanos / 1000000000, nanos % 1000000000};
  nanosleep(&t, NULL);
}

// Two reductions every 5 ms, polled at the same pace; the ranks fall silent, and end, with the same pulse.
static void* agent(void* unused) {
  (void)unused;
  MPI_Comm comm;
  PMPI_Comm_dup(MPI_COMM_WORLD, &comm);
  int64_t max[MAXIMA] = {0}, sum[SUMS] = {0}, max_out[MAXIMA], sum_out[SUMS];
  for (;;) {
    MPI_Request requests[2];
    max[0] = !atomic_load(&stopping);
    max[1] = !atomic_load(&silence_wanted);
    PMPI_Iallreduce(max, max_out, MAXIMA, MPI_INT64_T, MPI_MAX, comm, &requests[0]);
    PMPI_Iallreduce(sum, sum_out, SUMS, MPI_UINT64_T, MPI_SUM, comm, &requests[1]);
    for (int done = 0; !done;) {
      pause_nanos(5 * 1000 * 1000);
      PMPI_Testall(2, requests, &done, MPI_STATUSES_IGNORE);
    }
    pulses++;
    if (max_out[0] == 0) break;
    if (max_out[1] == 0) {
      pthread_mutex_lock(&mutex);
      silent = 1;
      pthread_cond_broadcast(&changed);
      while (silence_wanted) pthread_cond_wait(&changed, &mutex);  // takes no time from the batch
      silent = 0;
      pthread_cond_broadcast(&changed);
      pthread_mutex_unlock(&mutex);
    }
  }
  PMPI_Comm_free(&comm);
  return NULL;
}

static void silence_agent(int wanted) {
  pthread_mutex_lock(&mutex);
  silence_wanted = wanted;
  pthread_cond_broadcast(&changed);
  while (silent != wanted) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
  PMPI_Barrier(MPI_COMM_WORLD);
}

static double half_round_trip(const struct calls* mpi, int bytes, int count) {
  PMPI_Barrier(MPI_COMM_WORLD);
  double begin = now();
  for (int i = 0; i < count; i++) {
    if (rank == 0) {
      mpi->send(buffer, bytes, MPI_BYTE, 1, TAG, MPI_COMM_WORLD);
      mpi->recv(buffer, bytes, MPI_BYTE, 1, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else if (rank == 1) {
      mpi->recv(buffer, bytes, MPI_BYTE, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      mpi->send(buffer, bytes, MPI_BYTE, 0, TAG, MPI_COMM_WORLD);
    }
  }
  return (now() - begin) / count / 2;
}

// Non-blocking messages in windows, each window acknowledged.
static double per_message(const struct calls* mpi, int bytes, int count) {
  MPI_Request requests[WINDOW];
  PMPI_Barrier(MPI_COMM_WORLD);
  double begin = now();
  for (int i = 0; i < count; i++) {
    for (int w = 0; w < WINDOW; w++) {
      char* at = buffer + (size_t)w * (size_t)bytes;
      if (rank == 0) mpi->isend(at, bytes, MPI_BYTE, 1, TAG, MPI_COMM_WORLD, &requests[w]);
      if (rank == 1) mpi->irecv(at, bytes, MPI_BYTE, 0, TAG, MPI_COMM_WORLD, &requests[w]);
    }
    if (rank < 2) mpi->waitall(WINDOW, requests, MPI_STATUSES_IGNORE);
    if (rank == 0) mpi->recv(buffer, 0, MPI_BYTE, 1, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank == 1) mpi->send(buffer, 0, MPI_BYTE, 0, TAG, MPI_COMM_WORLD);
  }
  return (now() - begin) / count / WINDOW;
}

typedef double measure_fn(const struct calls*, int, int);

static void best(const char* name, measure_fn* measure, int bytes, int count, int batches, int sides) {
  static const char* const names[] = {"", ".least", ".shim", ".both", ".epoch"};
  static const struct calls* const calls[] = {&below, &least, &above, &above, &above};
  double nanos[5] = {0};
  for (int i = -1; i < batches; i++) {
    for (int side = 0; side < sides; side++) {
      if (sides > 1) silence_agent(side < 3);
      if (side == 4) begin_epoch();
      double took = measure(sides > 1 ? calls[side] : &above, bytes, i < 0 ? count / 10 + 1 : count);
      if (side == 4) end_epoch();
      if (i == 0 || (i > 0 && took < nanos[side])) nanos[side] = took;
    }
  }
  if (rank == 0) {
    for (int side = 0; side < sides; side++) printf("%s%s %.1f\n", name, names[side], nanos[side]);
  }
}

static void load(const char* library) {
  void* handle = dlsym(RTLD_DEFAULT, "cairn_version") ? dlopen(library, RTLD_NOW) : NULL;
  if (!handle) {
    const char* why = dlerror();
    fprintf(stderr, "messaging: --sides %s: %s\n", library, why ? why : "libcairn.so is not in LD_PRELOAD");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  *(void**)&begin_epoch = dlsym(handle, "begin_epoch");
  *(void**)&end_epoch = dlsym(handle, "end_epoch");
}

int main(int argc, char** argv) {
  int provided, size, sides = 1;
  double effort = 1;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--sides") == 0 && i + 1 < argc) {
      sides = 5;
      load(argv[++i]);
    } else if (strcmp(argv[i], "--effort") == 0 && i + 1 < argc) {
      effort = atof(argv[++i]);
    } else {
      fprintf(stderr, "usage: messaging [--sides LIBRARY] [--effort FACTOR]\n");
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
  if (sides > 1) pthread_create(&thread, NULL, agent, NULL);

  best("half-round-trip-8", half_round_trip, 8, (int)(100000 * effort) + 1, 10, sides);
  best("half-round-trip-65536", half_round_trip, 65536, (int)(4000 * effort) + 1, 10, sides);
  best("half-round-trip-1048576", half_round_trip, LARGEST, (int)(200 * effort) + 1, 10, sides);
  best("per-message-8", per_message, 8, (int)(2000 * effort) + 1, 10, sides);

  if (sides > 1) {
    atomic_store(&stopping, 1);
    silence_agent(0);
    pthread_join(thread, NULL);
    // An agent that did nothing would cost nothing.
    if (rank == 0) printf("pulses %ld\n", pulses);
  }
  MPI_Finalize();
  free(buffer);
  return 0;
}
