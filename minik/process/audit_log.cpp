#include "minik/process/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/yaml.h"
#include "minik/net/unique_fd.h"
#include "runtime/container/files.h"

namespace minik {
namespace {

// A record's strings and its place in the queue; what it shows of the request is added.
constexpr size_t kRecordBytes = 2048;

size_t weight_of(const control::AuditRecord& record) {
  return kRecordBytes + record.request->object.heap_bytes();
}

}  // namespace

struct AuditLog::Shared {
  AuditLogOptions options;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<control::AuditRecord> queue;
  size_t queue_bytes = 0;  // of what waits and of what is being written
  bool closing = false;
  std::atomic<int64_t> written = 0, lost = 0;
  // Of the writing thread alone.
  UniqueFd file;
  size_t file_bytes = 0;
  std::thread thread;

  Status open_file() {
    file = UniqueFd(::open(options.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (file.get() < 0) return error_from_errno(errno, options.path);
    struct stat found {};
    file_bytes = fstat(file.get(), &found) == 0 ? static_cast<size_t>(found.st_size) : 0;
    return {};
  }

  // A rename that fails loses an old file and no new events.
  void rotate() {
    for (int i = options.old_files_max; i > 0; --i) {
      const auto from = i == 1 ? options.path : cat(options.path, ".", i - 1);
      (void)std::rename(from.c_str(), cat(options.path, ".", i).c_str());
    }
    (void)open_file();
  }

  void put(const control::AuditRecord& record) {
    const auto line = cat(control::to_json(control::audit_event(record)), "\n");
    if (file_bytes > 0 && file_bytes + line.size() > options.file_bytes_max) rotate();
    size_t done = 0;
    while (done < line.size()) {
      const ssize_t n = ::write(file.get(), line.data() + done, line.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;  // a full disk, most likely
      done += static_cast<size_t>(n);
    }
    file_bytes += done;
    ++(done == line.size() ? written : lost);
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return closing || !queue.empty(); });
      if (queue.empty()) return;
      auto records = std::exchange(queue, {});
      const size_t taken = queue_bytes;
      lock.unlock();
      for (const auto& record : records) put(record);
      records.clear();
      lock.lock();
      queue_bytes -= taken;
    }
  }
};

AuditLog::AuditLog(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}

AuditLog::~AuditLog() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->closing = true;
  }
  shared_->wake.notify_one();
  shared_->thread.join();
}

Result<std::unique_ptr<AuditLog>> AuditLog::open(AuditLogOptions options) {
  auto shared = std::make_unique<Shared>();
  shared->options = std::move(options);
  MINIK_TRY(shared->open_file());
  shared->thread = std::thread([at = shared.get()] { at->run(); });
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(shared)));
}

void AuditLog::write(control::AuditRecord record) {
  const size_t weight = weight_of(record);
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->queue_bytes + weight > shared_->options.queue_bytes_max) {
      ++shared_->lost;
      return;
    }
    shared_->queue_bytes += weight;
    shared_->queue.push_back(std::move(record));
  }
  shared_->wake.notify_one();
}

MetricRegistry::Collector AuditLog::collect(MetricRegistry& metrics) const {
  auto& written = metrics.gauge("apiserver_audit_event_total", "Events that were written to the audit log.");
  auto& lost = metrics.gauge("apiserver_audit_error_total", "Events that did not fit into the queue or onto the disk.",
                             {{"plugin", "log"}});
  return metrics.collect([shared = shared_.get(), &written, &lost] {
    written.set(shared->written);
    lost.set(shared->lost);
  });
}

Result<control::AuditPolicy> parse_audit_policy(std::string_view text, std::string_view name) {
  MINIK_ASSIGN(const auto documents, control::parse_yaml(text, name));
  if (documents.size() != 1)
    return Error(ErrorCode::kBadRequest, cat(name, ": expected one document, found ", documents.size()));
  return control::AuditPolicy::from(documents[0].value, documents[0].lines, name);
}

Status keep_audit_policy(const Profile& profile, const std::string& path) {
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(path));
  MINIK_ASSIGN(const auto policy, parse_audit_policy(text, path));
  MINIK_TRY(runtime::make_directories(profile.directory, 0700));
  return runtime::write_file_atomically(profile.audit_policy(), text);
}

Result<std::optional<control::AuditPolicy>> kept_audit_policy(const Profile& profile) {
  if (access(profile.audit_policy().c_str(), F_OK) != 0) return std::optional<control::AuditPolicy>();
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(profile.audit_policy()));
  MINIK_ASSIGN(auto policy, parse_audit_policy(text, profile.audit_policy()));
  return std::optional<control::AuditPolicy>(std::move(policy));
}

}  // namespace minik
