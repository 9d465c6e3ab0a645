// What the store costs: durable writes by how many clients wait at once, recovery, and telling one
// of many watchers. Files are made in the current folder's file system, because /tmp may have no
// disk.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>

#include "bench/sample_pod.h"
#include "control/base/executor.h"
#include "control/object/keys.h"
#include "control/store/memory_log.h"
#include "control/store/sqlite_log.h"
#include "control/store/store.h"

namespace {

using namespace minik;
using namespace minik::control;

constexpr KindId kPods{1};

// Callbacks of the writer thread, run on the benchmark's thread.
class BenchExecutor final : public Executor {
 public:
  Instant now() const override { return {}; }
  WallTime wall_now() const override { return {}; }
  void post(Task task) override {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }
  TimerId after(Duration, Task) override { return {}; }
  void cancel(TimerId) override {}
  void run_one() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !tasks_.empty(); });
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
};

struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::current_path() / "store-bench-XXXXXX").string();
    CHECK(mkdtemp(pattern.data()));
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path path;
};

KindNames kind_names() {
  return {[](KindId) { return std::string("pods"); },
          [](std::string_view) { return std::optional(kPods); }};
}

void fail(const Error& error) {
  CHECK(false) << error.message;
}

Value stamped(const Value& pod, size_t number, Revision revision) {
  MapBuilder metadata(pod[keys::kMetadata]);
  metadata.set(keys::kName, cat("web-", number)).set(keys::kResourceVersion, cat(revision.value));
  return pod.with(keys::kMetadata, std::move(metadata).build());
}

// Each client writes again as soon as its write is durable, as 16 clients of the API would.
void durable_writes(benchmark::State& state) {
  const Folder folder;
  BenchExecutor executor;
  auto log = *SqliteLog::open(folder.path / "state.db", executor, kind_names());
  Store store(*log, fail);
  store.load(*log->recover());
  const Value pod = sample_pod(0, 0);
  size_t waiting = 0, next = 0, done = 0;
  const auto clients = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    while (waiting < clients) {
      ++waiting;
      store.put(kPods, stamped(pod, next++ % 10'000, store.next_revision()));
      store.when_durable([&] {
        --waiting;
        ++done;
      });
      store.commit();
    }
    const size_t before = done;
    while (done == before) executor.run_one();
  }
  while (waiting > 0) executor.run_one();
  state.counters["per_s"] =
      benchmark::Counter(static_cast<double>(done), benchmark::Counter::kIsRate);
}
BENCHMARK(durable_writes)->Arg(1)->Arg(16)->Arg(128)->UseRealTime();

void recover_100k_objects_ms(benchmark::State& state) {
  const bool tiny = std::getenv("MINIK_BENCH_TINY") != nullptr;
  const size_t pods = tiny ? 1000 : 100'000;
  const Folder folder;
  BenchExecutor executor;
  {
    auto log = *SqliteLog::open(folder.path / "state.db", executor, kind_names());
    Store store(*log, fail);
    store.load(*log->recover());
    for (size_t i = 0; i < pods; ++i) {
      store.put(kPods, sample_pod(i, store.next_revision().value));
      if (i % 1000 == 0) store.commit();
    }
    store.commit();
  }
  for (auto _ : state) {
    auto log = *SqliteLog::open(folder.path / "state.db", executor, kind_names());
    MemoryLog unused;
    Store store(unused, fail);
    store.load(*log->recover());
    CHECK(store.count() == pods);
  }
  state.counters["figure"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(pods) / 100'000 / 1000,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["file_bytes_per_pod"] =
      static_cast<double>(std::filesystem::file_size(folder.path / "state.db")) /
      static_cast<double>(pods);
}
BENCHMARK(recover_100k_objects_ms)->UseRealTime()->Unit(benchmark::kMillisecond);

std::string_view node_of(const Value& pod) {
  return pod[keys::kSpec][keys::kNodeName].as_string();
}

// One write among kubelets that each watch their own node: the cost must not grow with their
// number.
void tell_one_of_many_watchers(benchmark::State& state) {
  MemoryLog log;
  Store store(log, fail);
  store.add_index(kPods, "node", node_of);
  uint64_t told = 0;
  for (int64_t i = 0; i < state.range(0); ++i) {
    CHECK(
        store.watch(kPods, {}, {"node", cat("node-", i)}, [&](const StoreEvent&) { ++told; }).ok());
  }
  const Value pod = sample_pod(7, 1);
  size_t next = 0;
  for (auto _ : state) {
    store.put(kPods, stamped(pod, next++ % 1000, store.next_revision()));
    store.commit();
  }
  CHECK(told == next);
  state.counters["per_s"] =
      benchmark::Counter(static_cast<double>(next), benchmark::Counter::kIsRate);
}
BENCHMARK(tell_one_of_many_watchers)->Arg(100)->Arg(100'000);

// What the heap grows by for each further running pod, each from a text of its own.
void memory_of_stored_pods(benchmark::State& state) {
  constexpr size_t kPodsStored = 10'000;
  size_t bytes = 0;
  for (auto _ : state) {
    MemoryLog log;
    Store store(log, fail, {.window_events_max = 1});
    const size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < kPodsStored; ++i) {
      store.put(kPods, sample_pod(i, store.next_revision().value));
      store.commit();
    }
    bytes = mallinfo2().uordblks - before;
  }
  state.counters["bytes_per_pod"] = static_cast<double>(bytes) / static_cast<double>(kPodsStored);
}
BENCHMARK(memory_of_stored_pods)->Unit(benchmark::kMillisecond);

}  // namespace
