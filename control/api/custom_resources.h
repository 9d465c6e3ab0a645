// CustomResources: what the API server does about CustomResourceDefinitions, beyond storing them.
//
//   definition stored --> names accepted? --> status: NamesAccepted, Established, acceptedNames
//                                         --> KindRegistry: its versions are served, in discovery and OpenAPI
//   definition deleted --> Terminating --> its objects are deleted --> finalizer gone --> served no more
//
// Level-triggered like a controller: it compares what is stored with what is served, after each change of
// a definition and once at the start, when the registry must know the kinds of the objects that were
// recovered before anybody asks. Only a schema with a registry serves custom kinds; without one the
// definitions are stored and nothing comes of them.
//
// Part of an ApiServer, on its thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/api/conversion.h"
#include "control/api/storage_migration.h"
#include "control/base/executor.h"
#include "control/client/request.h"
#include "control/schema/kind_registry.h"
#include "control/store/store.h"

namespace minik::control {

class ApiServer;

inline constexpr std::string_view kCustomResourceCleanup = "customresourcecleanup.apiextensions.k8s.io";

class CustomResources {
 public:
  CustomResources(ApiServer& server, Executor& executor, Store& store, KindRegistry* registry);
  ~CustomResources();
  CustomResources(const CustomResources&) = delete;
  CustomResources& operator=(const CustomResources&) = delete;

  // Requests in another version than the stored one, where a webhook converts them.
  Conversion& conversion() { return conversion_; }
  // A watch of a custom kind ends when its definition is changed or goes: what it shows would be another thing.
  // The number is for watch_closed().
  uint64_t watch_opened(KindId kind, std::function<void()> end);
  void watch_closed(uint64_t watch) { watches_.erase(watch); }
  // An error for what is not to be done to objects of a custom kind now.
  Status check(const ResourceInfo& resource, const ApiRequest& request) const;

  // The kind under which recovery finds the objects of "widgets.example.com"; nothing where no custom kind can
  // have that name. For the KindNames of a log.
  static std::optional<KindId> recovered_kind(KindRegistry& registry, std::string_view group_resource);

 private:
  struct Served {
    KindId stored;
    std::vector<KindId> versions;
    bool migrating = false;
    Value spec;  // of the definition, as it was when it was served last
  };
  struct OpenWatch {
    KindId kind;
    std::function<void()> end;
  };

  void schedule();
  void sync();
  // The definition with the conditions and names that it deserves beside the others.
  Value judged(const Value& definition, const std::vector<Value>& all) const;
  void serve(const Value& definition);
  void withdraw(const std::string& name);
  void end_watches(const Served& served);
  void migrate(const Value& definition, Served& served);
  void migrated(const std::string& name, const std::string& form, const Status& status);
  // True when there is nothing left to delete.
  bool delete_objects(const Value& definition);
  void write(const Value& next, const Value& old);

  ApiServer& server_;
  Executor& executor_;
  Store& store_;
  KindRegistry* registry_;
  std::map<std::string, Served> served_;  // by the definition's name
  std::map<uint64_t, OpenWatch> watches_;
  uint64_t last_watch_ = 0;
  Conversion conversion_;
  StorageMigration migration_;
  StoreWatchId watch_;
  bool scheduled_ = false;
  ScopedTimer look_again_;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
