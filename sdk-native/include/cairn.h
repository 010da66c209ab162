/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a C or C++ program may ask the MPI shim, libcairn.so, in its own process.
 *
 * The shim sees a program's MPI calls when it is preloaded (mpirun -x LD_PRELOAD=.../libcairn.so) or linked before MPI
 * (-lcairn), and keeps the ledger of this rank: which messages were sent and received, on which channels. It works
 * without a JVM, and counts from MPI_Init to MPI_Finalize.
 *
 * Threads: every function may be called by any thread at any time, also beside MPI calls of other threads. None of them
 * calls MPI, and none of them waits for another rank.
 *
 * A program that should also run without the shim defines CAIRN_OPTIONAL before including this header, and asks
 * `if (cairn_version)` before the first call: the functions are then null where the shim isn't there.
 */
#ifndef CAIRN_H
#define CAIRN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Grows with each addition to this header; what it declares is never changed or taken away. */
#define CAIRN_API_VERSION 1

#ifdef CAIRN_OPTIONAL
#define CAIRN_FUNCTION __attribute__((visibility("default"), weak))
#else
#define CAIRN_FUNCTION __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What the functions return. */
enum {
  CAIRN_OK = 0,
  CAIRN_NOT_RUNNING = 1, /* MPI isn't initialised, or finalised, or cairn_problem() says why the shim is of no use */
  CAIRN_BAD_ARGUMENT = 2,
  CAIRN_IO_ERROR = 3 /* errno says which */
};

/* CAIRN_API_VERSION of the library. A program built with a later header than the library's asks before it calls what
 * its header has added. */
CAIRN_FUNCTION int cairn_api_version(void);

/* The library's release, such as "0.1.0". Constant; not to be freed. */
CAIRN_FUNCTION const char* cairn_version(void);

/* Why the shim doesn't work in this process, or null. Constant after MPI_Init; not to be freed. */
CAIRN_FUNCTION const char* cairn_problem(void);

/* Counters of this rank. Units: messages and calls since MPI_Init, unless noted. Messages to the rank itself count,
 * messages to MPI_PROC_NULL don't, and neither do those inside collectives. */
typedef struct cairn_counters {
  uint64_t sent;        /* messages whose send call was made and didn't fail; pending sends count */
  uint64_t received;    /* messages handed to the program; that of a posted receive counts when it is waited for */
  uint64_t collectives; /* collective calls, and calls that create or free communicators */
  uint64_t drained;     /* messages that were taken off the network before the program asked for them */
  uint64_t replayed;    /* of the received ones, those that came from the queue of drained and restored messages */
  uint64_t queued;      /* messages in that queue now */
  uint64_t pending;     /* receives that are posted now and not handed over */
  uint64_t channels;    /* channels (communicator, peer, tag, direction) that the ledger remembers now */
  uint64_t late;        /* messages that were saved with checkpoints because they crossed the cut */
  uint64_t bare_cuts;   /* how often settled channels were forgotten without a checkpoint */
} cairn_counters_t;

/*
 * Fills in the counters, all at one moment. `bytes` is sizeof(cairn_counters_t): a library with more counters fills in
 * those that the caller knows, one with fewer sets the others to zero.
 *
 * Returns CAIRN_OK, CAIRN_NOT_RUNNING (all are zero then) or CAIRN_BAD_ARGUMENT.
 */
CAIRN_FUNCTION int cairn_counters(cairn_counters_t* counters, size_t bytes);

/*
 * Writes the ledger as text for people, all of one moment: totals, communicators, channels, the queue, pending receives,
 * and what stands in the way of a checkpoint. The text is in UTF-8, its form may change with any release. With many
 * channels it is long, and MPI calls of other threads wait while it is put together.
 *
 * Returns CAIRN_OK, CAIRN_NOT_RUNNING, CAIRN_BAD_ARGUMENT or CAIRN_IO_ERROR.
 */
CAIRN_FUNCTION int cairn_dump(FILE* out);

/* The same to a file descriptor, such as 2. A write that is interrupted is continued. */
CAIRN_FUNCTION int cairn_dump_fd(int fd);

#ifdef __cplusplus
}
#endif

#endif
