// SPDX-License-Identifier: Apache-2.0
// As much of MPI as the shim's stress test needs, in one process: a world of one rank that sends to itself. Under a
// sanitizer all of it is seen, which isn't so for a real MPI. What is defined here comes before libmpi's; the rest of
// libmpi is only linked, never called.
//
// Like Open MPI: eager sends share one request, handles are used again at once, receives are matched in posting order.
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <vector>

void (*beforeIprobe)() = nullptr;  // a test's own
ptrdiff_t adapterOffset = 0;       // received bytes are written so far behind their buffer: through another mapping

namespace {

struct Envelope {
  MPI_Comm comm;
  int tag;
};

struct FakeMessage {
  Envelope envelope;
  std::vector<char> bytes;
};

struct FakeRequest {
  Envelope envelope{};
  char* buffer = nullptr;
  size_t room = 0;
  bool done = false;
  bool inactive = false;  // persistent, not started
  bool shared = false;    // of all sends
  MPI_Status status{};
};

std::mutex mutex;
std::list<FakeMessage*> unexpected;
std::list<FakeRequest*> posted;
std::deque<FakeRequest*>& unused = *new std::deque<FakeRequest*>;  // never destroyed: what is in it stays reachable
FakeRequest sent = [] {
  FakeRequest done;
  done.done = done.shared = true;
  return done;
}();

size_t bytesOf(int count, MPI_Datatype type) {
  return static_cast<size_t>(count) * (type == MPI_BYTE ? 1 : type == MPI_INT ? 4 : 8);
}

bool matches(const Envelope& wanted, const Envelope& found) {
  return wanted.comm == found.comm && (wanted.tag == MPI_ANY_TAG || wanted.tag == found.tag);
}

MPI_Status statusOf(const Envelope& envelope, size_t bytes) {
  MPI_Status status{};
  status.MPI_SOURCE = 0;
  status.MPI_TAG = envelope.tag;
  status.MPI_ERROR = MPI_SUCCESS;
  status._ucount = bytes;
  return status;
}

FakeRequest* real(MPI_Request request) { return reinterpret_cast<FakeRequest*>(request); }
MPI_Request handle(FakeRequest* request) { return reinterpret_cast<MPI_Request>(request); }

FakeRequest* newRequest() {
  FakeRequest* request;
  if (unused.empty()) return new FakeRequest;
  request = unused.back();
  unused.pop_back();
  *request = FakeRequest{};
  return request;
}

void release(FakeRequest* request) {
  if (!request->shared) unused.push_back(request);
}

void deliver(FakeRequest& request, const FakeMessage& message) {
  size_t bytes = std::min(request.room, message.bytes.size());
  if (bytes) std::memcpy(request.buffer + adapterOffset, message.bytes.data(), bytes);
  request.status = statusOf(message.envelope, bytes);
  if (bytes < message.bytes.size()) request.status.MPI_ERROR = MPI_ERR_TRUNCATE;
  request.done = true;
}

std::list<FakeMessage*>::iterator arrived(const Envelope& wanted) {
  auto at = unexpected.begin();
  while (at != unexpected.end() && !matches(wanted, (*at)->envelope)) ++at;
  return at;
}

void send(const void* buffer, size_t bytes, const Envelope& envelope) {
  FakeMessage message{envelope, {}};
  message.bytes.assign(static_cast<const char*>(buffer), static_cast<const char*>(buffer) + bytes);
  std::lock_guard<std::mutex> guard(mutex);
  for (auto at = posted.begin(); at != posted.end(); ++at) {
    if (!matches((*at)->envelope, envelope)) continue;
    deliver(**at, message);
    posted.erase(at);
    return;
  }
  unexpected.push_back(new FakeMessage(std::move(message)));
}

// Ends the request if it has completed. Mutex held.
bool settle(MPI_Request* request, MPI_Status* status) {
  if (*request == MPI_REQUEST_NULL) return true;
  FakeRequest* r = real(*request);
  if (!r->done) return false;
  if (status != MPI_STATUS_IGNORE) *status = r->status;
  release(r);
  *request = MPI_REQUEST_NULL;
  return true;
}

}  // namespace

extern "C" {

int PMPI_Init_thread(int*, char***, int, int* provided) {
  *provided = MPI_THREAD_MULTIPLE;
  return MPI_SUCCESS;
}
int PMPI_Finalize(void) { return MPI_SUCCESS; }

int PMPI_Comm_rank(MPI_Comm, int* rank) { return *rank = 0, MPI_SUCCESS; }
int PMPI_Comm_size(MPI_Comm, int* size) { return *size = 1, MPI_SUCCESS; }
int PMPI_Comm_dup(MPI_Comm, MPI_Comm* copy) { return *copy = reinterpret_cast<MPI_Comm>(new long), MPI_SUCCESS; }
int PMPI_Comm_free(MPI_Comm* comm) {
  delete reinterpret_cast<long*>(*comm);
  return *comm = MPI_COMM_NULL, MPI_SUCCESS;
}
int PMPI_Comm_set_errhandler(MPI_Comm, MPI_Errhandler) { return MPI_SUCCESS; }
int PMPI_Comm_get_parent(MPI_Comm* parent) { return *parent = MPI_COMM_NULL, MPI_SUCCESS; }
int PMPI_Comm_test_inter(MPI_Comm, int* flag) { return *flag = 0, MPI_SUCCESS; }
int PMPI_Comm_group(MPI_Comm, MPI_Group* group) { return *group = nullptr, MPI_SUCCESS; }
int PMPI_Group_size(MPI_Group, int* size) { return *size = 1, MPI_SUCCESS; }
int PMPI_Group_free(MPI_Group*) { return MPI_SUCCESS; }
int PMPI_Group_translate_ranks(MPI_Group, int n, const int from[], MPI_Group, int to[]) {
  std::copy(from, from + n, to);
  return MPI_SUCCESS;
}
// In place, over one rank.
int PMPI_Allreduce(const void*, void*, int, MPI_Datatype, MPI_Op, MPI_Comm) { return MPI_SUCCESS; }

int PMPI_Type_get_envelope(MPI_Datatype, int* integers, int* addresses, int* types, int* combiner) {
  *integers = *addresses = *types = 0;
  *combiner = MPI_COMBINER_NAMED;
  return MPI_SUCCESS;
}
int PMPI_Type_size_x(MPI_Datatype type, MPI_Count* size) {
  return *size = static_cast<MPI_Count>(bytesOf(1, type)), MPI_SUCCESS;
}
int PMPI_Type_get_extent_x(MPI_Datatype type, MPI_Count* lower, MPI_Count* extent) {
  *lower = 0;
  return PMPI_Type_size_x(type, extent);
}
int PMPI_Type_get_true_extent_x(MPI_Datatype type, MPI_Count* lower, MPI_Count* extent) {
  return PMPI_Type_get_extent_x(type, lower, extent);
}
int PMPI_Get_count(const MPI_Status* status, MPI_Datatype type, int* count) {
  return *count = static_cast<int>(status->_ucount / bytesOf(1, type)), MPI_SUCCESS;
}
int PMPI_Get_elements_x(const MPI_Status* status, MPI_Datatype type, MPI_Count* count) {
  return *count = static_cast<MPI_Count>(status->_ucount / bytesOf(1, type)), MPI_SUCCESS;
}
int PMPI_Status_set_elements_x(MPI_Status* status, MPI_Datatype type, MPI_Count count) {
  return status->_ucount = static_cast<size_t>(count) * bytesOf(1, type), MPI_SUCCESS;
}
int PMPI_Status_set_cancelled(MPI_Status* status, int flag) { return status->_cancelled = flag, MPI_SUCCESS; }
int PMPI_Test_cancelled(const MPI_Status* status, int* flag) { return *flag = status->_cancelled, MPI_SUCCESS; }

int PMPI_Send(const void* buf, int count, MPI_Datatype type, int, int tag, MPI_Comm comm) {
  send(buf, bytesOf(count, type), {comm, tag});
  return MPI_SUCCESS;
}
int PMPI_Isend(const void* buf, int count, MPI_Datatype type, int, int tag, MPI_Comm comm, MPI_Request* request) {
  send(buf, bytesOf(count, type), {comm, tag});
  return *request = handle(&sent), MPI_SUCCESS;
}
int PMPI_Irecv(void* buf, int count, MPI_Datatype type, int, int tag, MPI_Comm comm, MPI_Request* request) {
  std::lock_guard<std::mutex> guard(mutex);
  FakeRequest* r = newRequest();
  r->envelope = {comm, tag};
  r->buffer = static_cast<char*>(buf);
  r->room = bytesOf(count, type);
  auto at = arrived(r->envelope);
  if (at == unexpected.end()) {
    posted.push_back(r);
  } else {
    deliver(*r, **at);
    delete *at;
    unexpected.erase(at);
  }
  return *request = handle(r), MPI_SUCCESS;
}
int PMPI_Recv_init(void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request* request) {
  std::lock_guard<std::mutex> guard(mutex);
  FakeRequest* r = newRequest();
  r->inactive = r->done = true;
  return *request = handle(r), MPI_SUCCESS;
}

int PMPI_Test(MPI_Request* request, int* flag, MPI_Status* status) {
  std::lock_guard<std::mutex> guard(mutex);
  return *flag = settle(request, status), MPI_SUCCESS;
}
int PMPI_Wait(MPI_Request* request, MPI_Status* status) {
  for (int done = 0;;) {
    PMPI_Test(request, &done, status);
    if (done) return MPI_SUCCESS;
    sched_yield();
  }
}
int PMPI_Waitall(int count, MPI_Request requests[], MPI_Status statuses[]) {
  for (int i = 0; i < count; i++) {
    PMPI_Wait(&requests[i], statuses == MPI_STATUSES_IGNORE ? MPI_STATUS_IGNORE : &statuses[i]);
  }
  return MPI_SUCCESS;
}
int PMPI_Waitany(int count, MPI_Request requests[], int* index, MPI_Status* status) {
  for (;; sched_yield()) {
    std::lock_guard<std::mutex> guard(mutex);
    int open = 0;
    for (int i = 0; i < count; i++) {
      if (requests[i] == MPI_REQUEST_NULL) continue;
      open++;
      if (settle(&requests[i], status)) return *index = i, MPI_SUCCESS;
    }
    if (!open) return *index = MPI_UNDEFINED, MPI_SUCCESS;
  }
}
int PMPI_Request_get_status(MPI_Request request, int* flag, MPI_Status* status) {
  std::lock_guard<std::mutex> guard(mutex);
  *flag = request == MPI_REQUEST_NULL || real(request)->done;
  if (*flag && request != MPI_REQUEST_NULL && status != MPI_STATUS_IGNORE) *status = real(request)->status;
  return MPI_SUCCESS;
}
int PMPI_Request_free(MPI_Request* request) {
  std::lock_guard<std::mutex> guard(mutex);
  posted.remove(real(*request));
  release(real(*request));
  return *request = MPI_REQUEST_NULL, MPI_SUCCESS;
}
int PMPI_Cancel(MPI_Request* request) {
  std::lock_guard<std::mutex> guard(mutex);
  FakeRequest* r = real(*request);
  if (r->done) return MPI_SUCCESS;
  posted.remove(r);
  r->status = statusOf(r->envelope, 0);
  r->status._cancelled = 1;
  r->done = true;
  return MPI_SUCCESS;
}

int PMPI_Iprobe(int, int tag, MPI_Comm comm, int* flag, MPI_Status* status) {
  if (beforeIprobe) beforeIprobe();
  std::lock_guard<std::mutex> guard(mutex);
  auto at = arrived({comm, tag});
  *flag = at != unexpected.end();
  if (*flag && status != MPI_STATUS_IGNORE) *status = statusOf((*at)->envelope, (*at)->bytes.size());
  return MPI_SUCCESS;
}
int PMPI_Improbe(int, int tag, MPI_Comm comm, int* flag, MPI_Message* message, MPI_Status* status) {
  std::lock_guard<std::mutex> guard(mutex);
  auto at = arrived({comm, tag});
  *flag = at != unexpected.end();
  if (!*flag) return MPI_SUCCESS;
  if (status != MPI_STATUS_IGNORE) *status = statusOf((*at)->envelope, (*at)->bytes.size());
  *message = reinterpret_cast<MPI_Message>(*at);
  unexpected.erase(at);
  return MPI_SUCCESS;
}
int PMPI_Mprobe(int source, int tag, MPI_Comm comm, MPI_Message* message, MPI_Status* status) {
  for (int flag = 0;; sched_yield()) {
    PMPI_Improbe(source, tag, comm, &flag, message, status);
    if (flag) return MPI_SUCCESS;
  }
}
int PMPI_Mrecv(void* buf, int count, MPI_Datatype type, MPI_Message* message, MPI_Status* status) {
  auto* found = reinterpret_cast<FakeMessage*>(*message);
  FakeRequest request;
  request.buffer = static_cast<char*>(buf);
  request.room = bytesOf(count, type);
  deliver(request, *found);
  delete found;
  *message = MPI_MESSAGE_NULL;
  if (status != MPI_STATUS_IGNORE) *status = request.status;
  return request.status.MPI_ERROR;
}
int PMPI_Imrecv(void* buf, int count, MPI_Datatype type, MPI_Message* message, MPI_Request* request) {
  std::lock_guard<std::mutex> guard(mutex);
  FakeRequest* r = newRequest();
  r->buffer = static_cast<char*>(buf);
  r->room = bytesOf(count, type);
  auto* found = reinterpret_cast<FakeMessage*>(*message);
  deliver(*r, *found);
  delete found;
  *message = MPI_MESSAGE_NULL;
  return *request = handle(r), MPI_SUCCESS;
}

// Over one rank.
int PMPI_Iallgather(const void* in, int count, MPI_Datatype type, void* out, int, MPI_Datatype, MPI_Comm,
                    MPI_Request* request) {
  std::memcpy(static_cast<char*>(out) + adapterOffset, in, bytesOf(count, type));
  return *request = handle(&sent), MPI_SUCCESS;
}
int PMPI_Iallgatherv(const void* in, int count, MPI_Datatype type, void* out, const int counts[], const int offsets[],
                     MPI_Datatype, MPI_Comm, MPI_Request* request) {
  if (counts[0] != count || offsets[0] != 0) return MPI_ERR_COUNT;
  if (count) std::memcpy(static_cast<char*>(out) + adapterOffset, in, bytesOf(count, type));
  return *request = handle(&sent), MPI_SUCCESS;
}
int PMPI_Allgather(const void* in, int count, MPI_Datatype type, void* out, int, MPI_Datatype, MPI_Comm) {
  std::memcpy(static_cast<char*>(out) + adapterOffset, in, bytesOf(count, type));
  return MPI_SUCCESS;
}
// From and to a rank that isn't there.
int PMPI_Bcast(void* out, int count, MPI_Datatype type, int, MPI_Comm) {
  std::memset(static_cast<char*>(out) + adapterOffset, 1, bytesOf(count, type));
  return MPI_SUCCESS;
}
int PMPI_Gather(const void*, int, MPI_Datatype, void*, int, MPI_Datatype, int, MPI_Comm) { return MPI_SUCCESS; }
int PMPI_Win_free(MPI_Win* window) { return *window = MPI_WIN_NULL, MPI_SUCCESS; }
}
