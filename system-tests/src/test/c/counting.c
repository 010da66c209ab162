/* SPDX-License-Identifier: Apache-2.0 */
/* Sends and receives in many ways, counts by itself, and compares with the shim's counters where the shim is there. */
#define CAIRN_OPTIONAL
#include <cairn.h>
#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size;
static uint64_t sent, received, collectives;
static atomic_int finished;

static void fail(const char* what, uint64_t found, uint64_t expected) {
  fprintf(stderr, "rank %d: %s: found %llu, expected %llu\n", rank, what, (unsigned long long)found,
          (unsigned long long)expected);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static void require(const char* what, uint64_t found, uint64_t expected) {
  if (found != expected) fail(what, found, expected);
}

static void compare(uint64_t pending) {
  if (!cairn_version) return;
  cairn_counters_t counters;
  memset(&counters, 0xff, sizeof counters);
  require("cairn_counters()", (uint64_t)cairn_counters(&counters, sizeof counters), CAIRN_OK);
  require("sent", counters.sent, sent);
  require("received", counters.received, received);
  require("collectives", counters.collectives, collectives);
  require("pending", counters.pending, pending);
  require("late", counters.late, 0);
  if (!getenv("CAIRN_DRAIN")) {
    require("drained", counters.drained, 0);
    require("replayed", counters.replayed, 0);
    require("queued", counters.queued, 0);
  }
  if (counters.replayed > received || counters.drained < counters.replayed) {
    fail("replayed, of drained", counters.replayed, counters.drained);
  }
}

/* Asks all the time, while the main thread sends and receives. */
static void* ask(void* unused) {
  uint64_t last = 0;
  (void)unused;
  while (!finished) {
    cairn_counters_t counters;
    int result = cairn_counters(&counters, sizeof counters);
    if (result == CAIRN_OK) {
      if (counters.sent < last) fail("sent, which went back", counters.sent, last);
      last = counters.sent;
    }
    usleep(100);
  }
  return NULL;
}

static void ring(int tag, int rounds) {
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  for (int i = 0; i < rounds; i++) {
    long out = rank * 1000 + i, in = -1;
    MPI_Request requests[2];
    MPI_Irecv(&in, 1, MPI_LONG, left, tag, MPI_COMM_WORLD, &requests[0]);
    MPI_Isend(&out, 1, MPI_LONG, right, tag, MPI_COMM_WORLD, &requests[1]);
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    sent++;
    received++;
    require("the message", (uint64_t)in, (uint64_t)(left * 1000 + i));
  }
}

static void forms(void) {
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  long out = rank, in = -1;
  MPI_Request request;
  char attached[4096 + MPI_BSEND_OVERHEAD];
  void* detached;
  int length;
  MPI_Buffer_attach(attached, sizeof attached);
  MPI_Bsend(&out, 1, MPI_LONG, right, 1, MPI_COMM_WORLD);
  MPI_Recv(&in, 1, MPI_LONG, left, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Buffer_detach(&detached, &length);
  require("Bsend", (uint64_t)in, (uint64_t)left);
  MPI_Issend(&out, 1, MPI_LONG, right, 2, MPI_COMM_WORLD, &request);
  MPI_Recv(&in, 1, MPI_LONG, MPI_ANY_SOURCE, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  MPI_Sendrecv(&out, 1, MPI_LONG, right, 3, &in, 1, MPI_LONG, left, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Send(&out, 1, MPI_LONG, MPI_PROC_NULL, 4, MPI_COMM_WORLD); /* counts as nothing */
  MPI_Recv(&in, 1, MPI_LONG, MPI_PROC_NULL, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Isend(&out, 1, MPI_LONG, 0, 5, MPI_COMM_SELF, &request);
  MPI_Recv(&in, 1, MPI_LONG, 0, 5, MPI_COMM_SELF, MPI_STATUS_IGNORE);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  sent += 4;
  received += 4;
}

/* A message that a receive has taken, but nobody has waited for, has not been received. */
static void pending(void) {
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  long out = rank, in = -1;
  MPI_Request request;
  MPI_Irecv(&in, 1, MPI_LONG, left, 6, MPI_COMM_WORLD, &request);
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Send(&out, 1, MPI_LONG, right, 6, MPI_COMM_WORLD);
  MPI_Barrier(MPI_COMM_WORLD);
  sent++;
  collectives += 2;
  compare(1);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  received++;
  compare(0);
}

static void groups(void) {
  MPI_Comm half;
  int in = rank, sum = 0, members;
  MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
  MPI_Allreduce(&in, &sum, 1, MPI_INT, MPI_SUM, half);
  MPI_Comm_size(half, &members);
  MPI_Comm_free(&half);
  collectives += 3;
  require("the members", (uint64_t)members, (uint64_t)(size + 1 - rank % 2) / 2);
}

/* The library may know more counters than the program, or fewer. */
static void sizes(void) {
  uint64_t larger[sizeof(cairn_counters_t) / 8 + 2];
  cairn_counters_t one;
  memset(larger, 0xff, sizeof larger);
  memset(&one, 0xff, sizeof one);
  require("cairn_api_version()", (uint64_t)cairn_api_version(), CAIRN_API_VERSION);
  require("a larger struct", (uint64_t)cairn_counters((cairn_counters_t*)larger, sizeof larger), CAIRN_OK);
  require("its sent", larger[0], sent);
  require("its last", larger[sizeof larger / 8 - 1], 0);
  require("a smaller struct", (uint64_t)cairn_counters(&one, sizeof one.sent), CAIRN_OK);
  require("its sent", one.sent, sent);
  require("what is behind it", one.received, UINT64_MAX);
  require("no struct", (uint64_t)cairn_counters(NULL, sizeof one), CAIRN_BAD_ARGUMENT);
  require("no bytes", (uint64_t)cairn_counters(&one, 0), CAIRN_BAD_ARGUMENT);
  require("an odd length", (uint64_t)cairn_counters(&one, 9), CAIRN_BAD_ARGUMENT);
  require("no file", (uint64_t)cairn_dump(NULL), CAIRN_BAD_ARGUMENT);
  require("no descriptor", (uint64_t)cairn_dump_fd(-1), CAIRN_BAD_ARGUMENT);
  require("a full disk", (uint64_t)cairn_dump_fd(open("/dev/full", O_WRONLY)), CAIRN_IO_ERROR);
  require("its errno", (uint64_t)errno, ENOSPC);
  if (cairn_problem()) fail("cairn_problem()", 1, 0);
}

int main(int argc, char** argv) {
  pthread_t thread;
  cairn_counters_t none;
  if (cairn_version) {
    require("before MPI_Init", (uint64_t)cairn_counters(&none, sizeof none), CAIRN_NOT_RUNNING);
    require("dumped before MPI_Init", (uint64_t)cairn_dump(stdout), CAIRN_NOT_RUNNING);
  }
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  compare(0);
  if (cairn_version) pthread_create(&thread, NULL, ask, NULL);
  ring(0, 500);
  compare(0);
  forms();
  compare(0);
  pending();
  groups();
  compare(0);
  if (cairn_version) {
    finished = 1;
    pthread_join(thread, NULL);
    sizes();
    if (rank == 0) {
      printf("cairn %s\n", cairn_version());
      require("a dump", (uint64_t)cairn_dump(stdout), CAIRN_OK);
      require("the same dump", (uint64_t)cairn_dump_fd(STDOUT_FILENO), CAIRN_OK);
    }
  }
  if (rank == 0) {
    printf("result %llu %llu %llu\n", (unsigned long long)sent, (unsigned long long)received,
           (unsigned long long)collectives);
  }
  MPI_Finalize();
  if (cairn_version) {
    require("after MPI_Finalize", (uint64_t)cairn_counters(&none, sizeof none), CAIRN_NOT_RUNNING);
    require("its sent", none.sent, 0);
  }
  return 0;
}
