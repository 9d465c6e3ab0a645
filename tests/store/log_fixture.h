// A store over an SQLite file in a folder that goes with the test, and small pods to put into it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "control/base/text.h"
#include "control/store/sqlite_log.h"
#include "control/store/store.h"
#include "tests/store/log_executor.h"

namespace minik::control {

constexpr KindId kTestPods{3};
constexpr KindId kTestNodes{9};

inline KindNames test_kind_names() {
  return {[](KindId kind) { return std::string(kind == kTestPods ? "pods" : "nodes"); },
          [](std::string_view name) -> std::optional<KindId> {
            if (name == "pods") return kTestPods;
            if (name == "nodes") return kTestNodes;
            return {};
          }};
}

inline Value test_pod(std::string_view name, Revision revision, std::string_view note = {}) {
  return Value::map({{"metadata", Value::map({{"namespace", "default"},
                                              {"name", name},
                                              {"resourceVersion", cat(revision.value)}})},
                     {"note", note}});
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "minik-store-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// One life of the process: open, recover, serve, close.
struct OpenStore {
  static Result<std::unique_ptr<OpenStore>> open(const std::string& path,
                                                 SqliteLogOptions options = {},
                                                 KindNames names = test_kind_names()) {
    auto life = std::make_unique<OpenStore>();
    MINIK_ASSIGN(life->log, SqliteLog::open(path, life->executor, std::move(names), options));
    life->store = std::make_unique<Store>(
        *life->log, [raw = life.get()](const Error& error) { raw->fatal = error.message; });
    MINIK_ASSIGN(auto state, life->log->recover());
    life->store->load(std::move(state));
    return life;
  }

  void put(std::string_view name, std::string_view note = {}) {
    store->put(kTestPods, test_pod(name, store->next_revision(), note));
  }
  void erase(std::string_view name) {
    store->erase(kTestPods, test_pod(name, store->next_revision()));
  }
  // False when the disk refused.
  bool commit_and_wait() {
    bool done = false;
    store->when_durable([&] { done = true; });
    store->commit();
    executor.run_until([&] { return done || !fatal.empty(); });
    return done;
  }
  std::string note(std::string_view name) const {
    return store->find(kTestPods, "default", name).get("note").string();
  }

  LogExecutor executor;
  std::string fatal;
  std::unique_ptr<SqliteLog> log;
  std::unique_ptr<Store> store;
};

}  // namespace minik::control
