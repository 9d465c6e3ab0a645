// What every file of the suite stands on: an API server on virtual time behind its HTTP conventions, asked as a
// client asks (method, path, headers, bytes) and answered as one is answered. Watches are collected as parsed frames.
//
// objects.yaml holds one minimal valid object of every kind that can be stored; a kind of the schema without one there
// fails the suite, so that nothing is served untested.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/api/http_world.h"

namespace minik::control {

constexpr const char* kJsonPatch = "application/json-patch+json";
constexpr const char* kMergePatch = "application/merge-patch+json";
constexpr const char* kStrategicPatch = "application/strategic-merge-patch+json";
constexpr const char* kApplyPatch = "application/apply-patch+yaml";
constexpr const char* kAsTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
constexpr const char* kAsMetadata = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
constexpr const char* kAsMetadataList =
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";

// Where a kind's objects are made: /apis/apps/v1/namespaces/default/deployments.
std::string collection_of(const ResourceInfo& resource);
// The minimal object of a kind, absent where objects.yaml has none.
Value example_of(const ResourceInfo& resource);
// Kinds whose objects are kept, in the schema's order.
std::vector<const ResourceInfo*> stored_kinds();

class Conformance : public HttpWorld {
 protected:
  explicit Conformance(ApiServerOptions options = {});

  Answer get(const std::string& target, const std::string& accept = "application/json");
  Answer create(const ResourceInfo& resource, const Value& object, const std::string& query = "");
  Answer create(std::string_view collection, const std::string& yaml, const std::string& query = "");
  Answer patch(const std::string& target, const std::string& body, const char* type = kMergePatch) {
    return call("PATCH", target, body, type);
  }
  Answer apply(const std::string& target, const std::string& manager, const std::string& yaml, bool force = false);

  // A watch that is open as long as it lives; take() gives what has come since, after the cluster has settled.
  struct Watching {
    std::vector<Value> frames;
    Status ended;
    bool over = false;
    std::unique_ptr<WatchHandle> handle;
  };
  std::unique_ptr<Watching> watch(const std::string& target, const std::string& accept = "application/json");
  // "ADDED a, MODIFIED b, BOOKMARK": types and names of what has come since.
  std::string take(Watching& watching);
  void settle();
};

}  // namespace minik::control
