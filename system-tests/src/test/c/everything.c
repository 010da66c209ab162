/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way to send and to receive, each with an answer that MPI fixes: the lines it prints are the same however the
 * messages come. Most messages are sent well before they are received, so that a shim that drains has some to drain.
 * Compiled WITH_CAIRN it also tells what the shim has done; without, it knows nothing of Cairn.
 */
#include <mpi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef WITH_CAIRN
#define CAIRN_OPTIONAL
#include <cairn.h>
#endif

#define ROUNDS 40
#define LARGE (1 << 20) /* longs; far beyond any eager limit */

static int rank, size;
static uint64_t digest;

static void mix(int64_t value) {
  uint64_t z = (digest ^ (uint64_t)value) * 0xBF58476D1CE4E5B9ull + 0x9E3779B97F4A7C15ull;
  digest = z ^ (z >> 29);
}

static void equal(const char* what, long found, long expected) {
  if (found == expected) return;
  fprintf(stderr, "rank %d: %s: found %ld, expected %ld\n", rank, what, found, expected);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static long content(int from, int tag, int number) { return from * 1000000L + tag * 1000L + number; }

static void tell(const char* what) {
  uint64_t all = 0;
  MPI_Reduce(&digest, &all, 1, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank == 0) printf("result %s %016llx\n", what, (unsigned long long)all);
  fflush(stdout);
}

/* Messages of one sender stay in order, whatever the tags of the receives. */
static void order(MPI_Comm comm) {
  int me, members;
  MPI_Comm_rank(comm, &me);
  MPI_Comm_size(comm, &members);
  for (int i = 0; i < ROUNDS; i++) {
    long out = content(rank, i % 3, i);
    for (int to = 0; to < members; to++) {
      MPI_Request request;
      MPI_Isend(&out, 1, MPI_LONG, to, i % 3, comm, &request);
      MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
  }
  MPI_Barrier(comm);
  for (int from = 0; from < members; from++) {
    long in;
    MPI_Status status;
    /* All of tag 1 first, the rest as they come. */
    for (int i = 1; i < ROUNDS; i += 3) {
      MPI_Recv(&in, 1, MPI_LONG, from, 1, comm, &status);
      equal("number, tag 1", in % 1000, i);
      mix(in);
    }
    for (int i = 0; i < ROUNDS; i++) {
      if (i % 3 == 1) continue;
      MPI_Recv(&in, 1, MPI_LONG, from, MPI_ANY_TAG, comm, &status);
      equal("tag", status.MPI_TAG, i % 3);
      equal("source", status.MPI_SOURCE, from);
      equal("number, any tag", in % 1000, i);
      mix(in);
    }
  }
  MPI_Barrier(comm);
}

/* From anybody: in order within each source, and nothing lost. */
static void wildcards(void) {
  int next[64] = {0};
  long out, in[4];
  MPI_Status status;
  MPI_Request requests[4];
  for (int i = 0; i < ROUNDS; i++) {
    for (int to = 0; to < size; to++) {
      out = content(rank, 7, i);
      MPI_Send(&out, 1, MPI_LONG, to, 7, MPI_COMM_WORLD);
    }
  }
  MPI_Barrier(MPI_COMM_WORLD);
  uint64_t sum = 0;
  for (int i = 0; i < ROUNDS * size; i += 4) {
    for (int k = 0; k < 4; k++) MPI_Irecv(&in[k], 1, MPI_LONG, MPI_ANY_SOURCE, 7, MPI_COMM_WORLD, &requests[k]);
    /* Handed over in another order than posted. */
    int order[4] = {2, 0, 3, 1}, sources[4];
    for (int k = 0; k < 4; k++) {
      MPI_Wait(&requests[order[k]], &status);
      sources[order[k]] = status.MPI_SOURCE;
    }
    for (int k = 0; k < 4; k++) {
      equal("order within a source", in[k], content(sources[k], 7, next[sources[k]]));
      next[sources[k]]++;
      sum += (uint64_t)in[k];
    }
  }
  for (int from = 0; from < size; from++) equal("messages of a source", next[from], ROUNDS);
  mix((int64_t)sum);
  MPI_Barrier(MPI_COMM_WORLD);
}

static void probes(void) {
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  for (int form = 0; form < 4; form++) {
    for (int i = 0; i < ROUNDS; i++) {
      int length = 1 + i % 5;
      long out[5], in[5] = {-1, -1, -1, -1, -1};
      for (int k = 0; k < 5; k++) out[k] = content(rank, form, i) + k;
      MPI_Send(out, length, MPI_LONG, right, 10 + form, MPI_COMM_WORLD);
      if (i % 3 == 0) MPI_Barrier(MPI_COMM_WORLD);
      MPI_Status status;
      MPI_Message message;
      MPI_Request request;
      int flag = 0, count = -1;
      if (form == 0) {
        MPI_Probe(left, 10 + form, MPI_COMM_WORLD, &status);
      } else if (form == 1) {
        while (!flag) MPI_Iprobe(left, 10 + form, MPI_COMM_WORLD, &flag, &status);
      } else if (form == 2) {
        MPI_Mprobe(left, 10 + form, MPI_COMM_WORLD, &message, &status);
      } else {
        while (!flag) MPI_Improbe(left, 10 + form, MPI_COMM_WORLD, &flag, &message, &status);
      }
      MPI_Get_count(&status, MPI_LONG, &count);
      equal("probed length", count, length);
      equal("probed source", status.MPI_SOURCE, left);
      equal("probed tag", status.MPI_TAG, 10 + form);
      if (form < 2) {
        MPI_Recv(in, 5, MPI_LONG, left, 10 + form, MPI_COMM_WORLD, &status);
      } else if (form == 2) {
        MPI_Mrecv(in, 5, MPI_LONG, &message, &status);
      } else {
        MPI_Imrecv(in, 5, MPI_LONG, &message, &request);
        MPI_Wait(&request, &status);
      }
      MPI_Get_count(&status, MPI_LONG, &count);
      equal("received length", count, length);
      equal("received source", status.MPI_SOURCE, left);
      for (int k = 0; k < 5; k++) equal("received", in[k], k < length ? content(left, form, i) + k : -1);
      mix(in[0]);
    }
  }
  /* Nothing there: nothing found. */
  int flag = 1;
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Iprobe(MPI_ANY_SOURCE, 99, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
  equal("a message that nobody sent", flag, 0);
}

/* A buffer that is too short gets its error, and the message is gone. */
static void truncation(void) {
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  MPI_Comm comm;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
  for (int i = 0; i < ROUNDS; i++) {
    long out[4] = {i, i + 1, i + 2, i + 3}, in[4] = {-1, -1, -1, -1};
    MPI_Status status;
    MPI_Send(out, 4, MPI_LONG, right, 20, comm);
    MPI_Send(out, 2, MPI_LONG, right, 20, comm);
    MPI_Barrier(comm);
    int result = MPI_Recv(in, 3, MPI_LONG, left, 20, comm, &status), class = -1;
    MPI_Error_class(result, &class);
    equal("error of a short receive", class, MPI_ERR_TRUNCATE);
    equal("behind the buffer", in[3], -1);
    equal("no error", MPI_Recv(in, 3, MPI_LONG, left, 20, comm, &status), MPI_SUCCESS);
    int count;
    MPI_Get_count(&status, MPI_LONG, &count);
    equal("the message after it", count, 2);
    equal("its content", in[1], i + 1);
    mix(in[0]);
  }
  MPI_Comm_free(&comm);
}

/* Into every other place, into structs, and less than a whole element. */
static void types(void) {
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  MPI_Datatype sparse, pair;
  MPI_Type_vector(6, 1, 2, MPI_LONG, &sparse);
  MPI_Type_commit(&sparse);
  struct {
    double d;
    int i;
  } in[3];
  int lengths[2] = {1, 1};
  MPI_Aint offsets[2] = {0, sizeof(double)};
  MPI_Datatype members[2] = {MPI_DOUBLE, MPI_INT};
  MPI_Datatype packed;
  MPI_Type_create_struct(2, lengths, offsets, members, &packed);
  MPI_Type_create_resized(packed, 0, sizeof in[0], &pair);
  MPI_Type_commit(&pair);
  for (int i = 0; i < ROUNDS; i++) {
    long out[6], spread[12];
    struct {
      double d;
      int i;
    } pairs[2] = {{i + 0.5, i}, {i + 1.5, i + 1}};
    MPI_Request requests[2];
    MPI_Status status;
    int count;
    for (int k = 0; k < 6; k++) out[k] = content(rank, k, i);
    for (int k = 0; k < 12; k++) spread[k] = -1;
    memset(in, 0xff, sizeof in);
    MPI_Isend(out, 6, MPI_LONG, right, 30, MPI_COMM_WORLD, &requests[0]);
    MPI_Isend(pairs, 2, pair, right, 31, MPI_COMM_WORLD, &requests[1]);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Request receive;
    MPI_Datatype gone;
    MPI_Type_dup(sparse, &gone);
    MPI_Irecv(spread, 1, gone, left, 30, MPI_COMM_WORLD, &receive);
    MPI_Type_free(&gone);
    MPI_Wait(&receive, &status);
    for (int k = 0; k < 12; k++) equal("spread", spread[k], k % 2 ? -1 : content(left, k / 2, i));
    MPI_Recv(in, 3, pair, left, 31, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, pair, &count);
    equal("pairs", count, 2);
    equal("second pair", in[1].i, i + 1);
    equal("no third pair", in[2].i, -1);
    /* One pair and a half. */
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    MPI_Type_commit(&packed);
    MPI_Send(pairs, 1, packed, right, 32, MPI_COMM_WORLD);
    MPI_Send(&pairs[0].d, 1, MPI_DOUBLE, right, 33, MPI_COMM_WORLD);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Recv(in, 3, pair, left, 32, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, pair, &count);
    equal("one pair", count, 1);
    MPI_Recv(in, 3, pair, left, 33, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, pair, &count);
    equal("half a pair", count, MPI_UNDEFINED);
    MPI_Get_elements(&status, pair, &count);
    equal("its elements", count, 1);
    mix((int64_t)(in[0].d * 2));
  }
  MPI_Type_free(&packed);
  MPI_Type_free(&pair);
  MPI_Type_free(&sparse);
}

/* Long messages wait for the receiver; short ones sent after them must not overtake. */
static void large(void) {
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  long* out = malloc(LARGE * sizeof(long));
  long* in = malloc(LARGE * sizeof(long));
  for (int i = 0; i < 4; i++) {
    MPI_Request requests[2];
    MPI_Status status;
    long small = -i, got;
    int count;
    for (long k = 0; k < LARGE; k++) out[k] = k * (i + 1) + rank;
    MPI_Isend(out, LARGE, MPI_LONG, right, 40, MPI_COMM_WORLD, &requests[0]);
    MPI_Isend(&small, 1, MPI_LONG, right, 41, MPI_COMM_WORLD, &requests[1]);
    MPI_Barrier(MPI_COMM_WORLD);
    memset(in, 0, LARGE * sizeof(long));
    MPI_Recv(in, LARGE, MPI_LONG, left, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    equal("the long one first", status.MPI_TAG, 40);
    MPI_Get_count(&status, MPI_LONG, &count);
    equal("its length", count, LARGE);
    for (long k = 0; k < LARGE; k++) equal("long message", in[k], k * (i + 1) + left);
    MPI_Recv(&got, 1, MPI_LONG, left, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    equal("then the short one", got, -i);
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    mix(in[LARGE - 1]);
  }
  free(out);
  free(in);
}

/*
 * The dynamic sparse data exchange of Hoefler, Siebert and Lumsdaine: who has had all its synchronous sends completed
 * enters a barrier, and after the barrier nothing can be on its way. A synchronous send that completes before its message
 * is received loses messages here. Plain sends on the same channels are in between.
 */
static void consensus(void) {
  for (int round = 0; round < 10 * ROUNDS; round++) {
    int targets = 1 + (rank * 7 + round) % size, expected = 0;
    MPI_Request requests[64], barrier = MPI_REQUEST_NULL;
    long out[64], sum = 0, wanted = 0;
    int plain = round % 4 < 2;
    /* Who has passed the barrier may send for the next round to who hasn't noticed yet. */
    int tag = 50 + round % 2, behind = 52 + round % 2;
    for (int from = 0; from < size; from++) {
      int theirs = 1 + (from * 7 + round) % size;
      for (int k = 0; k < theirs; k++) {
        if ((from + k) % size != rank) continue;
        expected++;
        wanted += content(from, k, round % 1000);
      }
    }
    for (int k = 0; k < targets; k++) {
      int to = (rank + k) % size;
      out[k] = content(rank, k, round % 1000);
      if (plain) MPI_Send(&round, 1, MPI_INT, to, tag, MPI_COMM_WORLD);
      MPI_Issend(&out[k], 1, MPI_LONG, to, tag, MPI_COMM_WORLD, &requests[k]);
      if (plain) MPI_Send(&round, 1, MPI_INT, to, behind, MPI_COMM_WORLD);
    }
    int received = 0, done = 0, sent = 0;
    while (!done) {
      int flag;
      MPI_Status status;
      MPI_Iprobe(MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, &flag, &status);
      if (flag) {
        long in;
        int bytes, number;
        MPI_Get_count(&status, MPI_BYTE, &bytes);
        if (bytes == sizeof(int)) {
          MPI_Recv(&number, 1, MPI_INT, status.MPI_SOURCE, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
          equal("round of a plain message", number, round);
        } else {
          MPI_Recv(&in, 1, MPI_LONG, status.MPI_SOURCE, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
          sum += in;
          received++;
        }
      }
      if (barrier == MPI_REQUEST_NULL && !sent) {
        MPI_Testall(targets, requests, &sent, MPI_STATUSES_IGNORE);
        if (sent) MPI_Ibarrier(MPI_COMM_WORLD, &barrier);
      } else {
        MPI_Test(&barrier, &done, MPI_STATUS_IGNORE);
      }
    }
    equal("messages of the exchange", received, expected);
    equal("their sum", sum, wanted);
    for (int k = 0; plain && k < expected; k++) {
      int number;
      MPI_Recv(&number, 1, MPI_INT, MPI_ANY_SOURCE, behind, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      equal("round of a plain message behind", number, round);
    }
    mix(sum);
  }
}

/* A synchronous send has not completed while nobody receives its message, whatever calls are made meanwhile. */
static void patience(void) {
  int partner = rank ^ 1;
  for (int i = 0; i < ROUNDS && partner < size; i++) {
    long out = i, in, before = -i;
    int flag = 0, done = 0, got;
    if (rank % 2 == 0) {
      MPI_Request request;
      MPI_Send(&before, 1, MPI_LONG, partner, 60, MPI_COMM_WORLD);
      MPI_Issend(&out, 1, MPI_LONG, partner, 60, MPI_COMM_WORLD, &request);
      MPI_Send(&before, 1, MPI_LONG, partner, 60, MPI_COMM_WORLD);
      for (int k = 0; k < 50; k++) {
        /* The partner receives it after as many exchanges. */
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        equal("a synchronous send that nobody received", done, 0);
        MPI_Sendrecv(&k, 1, MPI_INT, partner, 61, &got, 1, MPI_INT, partner, 61, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      }
      MPI_Wait(&request, MPI_STATUS_IGNORE);
    } else {
      for (int k = 0; k < 50; k++) {
        MPI_Sendrecv(&k, 1, MPI_INT, partner, 61, &got, 1, MPI_INT, partner, 61, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Iprobe(partner, 62, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
        equal("a message that nobody sent", flag, 0);
      }
      MPI_Recv(&in, 1, MPI_LONG, partner, 60, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      equal("before the synchronous one", in, before);
      MPI_Recv(&in, 1, MPI_LONG, partner, 60, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      equal("the synchronous one", in, out);
      MPI_Recv(&in, 1, MPI_LONG, partner, 60, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      equal("behind the synchronous one", in, before);
      mix(in);
    }
  }
}

/* Each kind of send, persistent ones too, to each kind of receive that may be posted before or after it. */
static void kinds(void) {
  enum { SENDS = 7, RECEIVES = 4 };
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  long out = 0, in = 0;
  char attached[1 << 16];
  void* detached;
  int length;
  MPI_Buffer_attach(attached, sizeof attached);
  for (int receive = 0; receive < RECEIVES; receive++) {
    for (int send = 0; send < SENDS; send++) {
      int tag = 70 + send;
      MPI_Request outgoing, incoming = MPI_REQUEST_NULL;
      if (send == 4) MPI_Send_init(&out, 1, MPI_LONG, right, tag, MPI_COMM_WORLD, &outgoing);
      if (send == 5) MPI_Ssend_init(&out, 1, MPI_LONG, right, tag, MPI_COMM_WORLD, &outgoing);
      if (send == 6) MPI_Bsend_init(&out, 1, MPI_LONG, right, tag, MPI_COMM_WORLD, &outgoing);
      if (receive == 2) MPI_Recv_init(&in, 1, MPI_LONG, left, tag, MPI_COMM_WORLD, &incoming);
      for (int i = 0; i < 8; i++) {
        MPI_Status status;
        out = content(rank, tag, i);
        in = -1;
        /* A ready send needs its receive first. */
        int first = send == 3 || i % 2;
        if (first && receive < 2) MPI_Irecv(&in, 1, MPI_LONG, left, tag, MPI_COMM_WORLD, &incoming);
        if (first && receive == 2) MPI_Start(&incoming);
        if (send == 3) {
          if (receive == 3) MPI_Irecv(&in, 1, MPI_LONG, left, tag, MPI_COMM_WORLD, &incoming);
          MPI_Barrier(MPI_COMM_WORLD);
        }
        if (send == 0) MPI_Isend(&out, 1, MPI_LONG, right, tag, MPI_COMM_WORLD, &outgoing);
        if (send == 1) MPI_Issend(&out, 1, MPI_LONG, right, tag, MPI_COMM_WORLD, &outgoing);
        if (send == 2) MPI_Ibsend(&out, 1, MPI_LONG, right, tag, MPI_COMM_WORLD, &outgoing);
        if (send == 3) MPI_Irsend(&out, 1, MPI_LONG, right, tag, MPI_COMM_WORLD, &outgoing);
        if (send > 3) MPI_Startall(1, &outgoing);
        if (i % 4 < 2) MPI_Barrier(MPI_COMM_WORLD);
        if (!first && receive < 2) MPI_Irecv(&in, 1, MPI_LONG, MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, &incoming);
        if (!first && receive == 2) MPI_Start(&incoming);
        if (receive == 3 && send != 3) {
          long both = out;
          int to = i % 2 ? MPI_PROC_NULL : right;
          MPI_Sendrecv_replace(&both, 1, MPI_LONG, to, 79, left, tag, MPI_COMM_WORLD, &status);
          in = both;
          if (i % 2 == 0) MPI_Recv(&both, 1, MPI_LONG, left, 79, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
          if (i % 2 == 0) equal("replaced", both, content(left, tag, i));
        } else if (receive == 1) {
          int flag = 0, index, count = 0;
          while (!flag) {
            MPI_Request_get_status(incoming, &flag, MPI_STATUS_IGNORE);
          }
          while (count != 1) MPI_Testsome(1, &incoming, &count, &index, &status);
        } else {
          MPI_Wait(&incoming, &status);
        }
        equal("source", status.MPI_SOURCE, left);
        equal("tag", status.MPI_TAG, tag);
        equal("message", in, content(left, tag, i));
        mix(in);
        MPI_Wait(&outgoing, MPI_STATUS_IGNORE);
      }
      if (send > 3) MPI_Request_free(&outgoing);
      if (receive == 2) MPI_Request_free(&incoming);
    }
  }
  MPI_Buffer_detach(&detached, &length);
}

/*
 * What receives that the program frees or cancels do to the messages after them: a plain one, a synchronous one that
 * nobody receives yet, a plain one.
 */
static void abandoned(void) {
  int partner = rank ^ 1;
  for (int i = 0; i < ROUNDS && partner < size; i++) {
    int tag = 80 + i % 4;
    long out = content(rank, tag, i), first = -1, in = -1, taken = i % 4 == 0;
    if (rank % 2 == 0) {
      MPI_Request request;
      int done;
      MPI_Recv(NULL, 0, MPI_LONG, partner, 90, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      if (taken) MPI_Send(&out, 1, MPI_LONG, partner, tag, MPI_COMM_WORLD);
      MPI_Send(&out, 1, MPI_LONG, partner, tag, MPI_COMM_WORLD);
      MPI_Issend(&out, 1, MPI_LONG, partner, tag, MPI_COMM_WORLD, &request);
      MPI_Send(&out, 1, MPI_LONG, partner, tag, MPI_COMM_WORLD);
      for (int k = 0; k < 20; k++) {
        MPI_Sendrecv(NULL, 0, MPI_LONG, partner, 91, NULL, 0, MPI_LONG, partner, 91, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        equal("a synchronous send that nobody received", done, 0);
      }
      MPI_Send(NULL, 0, MPI_LONG, partner, 90, MPI_COMM_WORLD);
      MPI_Wait(&request, MPI_STATUS_IGNORE);
    } else {
      MPI_Request request;
      int cancelled = 0;
      MPI_Status status;
      MPI_Irecv(&first, 1, MPI_LONG, i % 8 < 4 ? partner : MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, &request);
      if (taken) {
        MPI_Request_free(&request);
      } else {
        MPI_Cancel(&request);
        MPI_Wait(&request, &status);
        MPI_Test_cancelled(&status, &cancelled);
        equal("cancelled", cancelled, 1);
      }
      MPI_Send(NULL, 0, MPI_LONG, partner, 90, MPI_COMM_WORLD);
      for (int k = 0; k < 20; k++) {
        MPI_Sendrecv(NULL, 0, MPI_LONG, partner, 91, NULL, 0, MPI_LONG, partner, 91, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      }
      MPI_Recv(NULL, 0, MPI_LONG, partner, 90, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      for (int k = 0; k < 3; k++) {
        MPI_Recv(&in, 1, MPI_LONG, partner, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        equal("behind an abandoned receive", in, content(partner, tag, i));
        mix(in);
      }
      equal("its own", first, taken ? content(partner, tag, i) : -1);
    }
  }
}

enum { BATCH = 10 };

/* Numbers of its own among those of the other thread, on the same channel. */
static void* sendPlain(void* first) {
  for (int k = 0; k < BATCH; k++) {
    int number = *(int*)first + k;
    MPI_Send(&number, 1, MPI_INT, (rank + 1) % size, 100, MPI_COMM_WORLD);
  }
  return NULL;
}

/* There and back on a tag of its own. */
static void* exchange(void* tag) {
  int right = (rank + 1) % size, left = (rank + size - 1) % size;
  for (int k = 0; k < 50; k++) {
    int in = -1;
    MPI_Request requests[2];
    MPI_Isend(&k, 1, MPI_INT, right, *(int*)tag, MPI_COMM_WORLD, &requests[0]);
    if (k % 2) {
      MPI_Irecv(&in, 1, MPI_INT, left, *(int*)tag, MPI_COMM_WORLD, &requests[1]);
      MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    } else {
      MPI_Probe(left, *(int*)tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Recv(&in, 1, MPI_INT, left, *(int*)tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
    }
    equal("the other thread's or an older message", in, k);
  }
  return NULL;
}

static void threads(void) {
  int left = (rank + size - 1) % size, tags[2] = {101, 102};
  pthread_t thread;
  for (int round = 0; round < ROUNDS; round++) {
    long out = content(rank, 100, round);
    int first = round * BATCH, done, indices[BATCH];
    MPI_Request requests[BATCH];
    pthread_create(&thread, NULL, sendPlain, &first);
    for (int k = 0; k < BATCH; k++) MPI_Issend(&out, 1, MPI_LONG, (rank + 1) % size, 100, MPI_COMM_WORLD, &requests[k]);
    pthread_join(thread, NULL);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Testsome(BATCH, requests, &done, indices, MPI_STATUSES_IGNORE);
    equal("synchronous sends that nobody received", done, 0);
    MPI_Barrier(MPI_COMM_WORLD);
    int plain = 0;
    for (int k = 0; k < 2 * BATCH; k++) {
      union {
        long synchronous;
        int number;
      } in;
      MPI_Status status;
      int bytes;
      MPI_Recv(&in, sizeof in, MPI_BYTE, left, 100, MPI_COMM_WORLD, &status);
      MPI_Get_count(&status, MPI_BYTE, &bytes);
      if (bytes == sizeof(int)) {
        equal("a thread's next", in.number, first + plain++);
      } else {
        equal("the other thread's", in.synchronous, content(left, 100, round));
      }
    }
    equal("messages of the thread", plain, BATCH);
    MPI_Waitall(BATCH, requests, MPI_STATUSES_IGNORE);
  }
  pthread_create(&thread, NULL, exchange, &tags[0]);
  exchange(&tags[1]);
  pthread_join(thread, NULL);
  mix(rank);
}

int main(int argc, char** argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  order(MPI_COMM_WORLD);
  tell("order");
  MPI_Comm half;
  MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &half);
  order(half);
  MPI_Comm_free(&half);
  tell("order-split");
  wildcards();
  tell("wildcards");
  probes();
  tell("probes");
  truncation();
  tell("truncation");
  types();
  tell("types");
  large();
  tell("large");
  consensus();
  tell("consensus");
  patience();
  tell("patience");
  kinds();
  tell("kinds");
  abandoned();
  tell("abandoned");
  threads();
  tell("threads");
#ifdef WITH_CAIRN
  uint64_t mine[3] = {0, 0, 0}, all[3];
  if (cairn_version) {
    cairn_counters_t counters;
    cairn_counters(&counters, sizeof counters);
    mine[0] = counters.drained;
    mine[1] = counters.replayed;
    mine[2] = counters.queued;
  }
  MPI_Reduce(mine, all, 3, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank == 0) {
    printf("shim drained=%llu replayed=%llu queued=%llu\n", (unsigned long long)all[0], (unsigned long long)all[1],
           (unsigned long long)all[2]);
  }
#endif
  MPI_Finalize();
  return 0;
}
