// The API as values: what a component inside the process asks of the API server, and what it gets.
// HTTP is one way to make such a request (control/api/http.h); controllers, the scheduler and the
// node agent make them directly. Both meet the same admission, validation and authorization: there is
// no back door.
//
// A request is plain data that its maker owns; documents inside are shared and immutable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/object_ref.h"
#include "control/object/value.h"

namespace minik::control {

enum class Verb : uint8_t {
  kGet,
  kList,
  kWatch,
  kCreate,
  kUpdate,
  kPatch,
  kDelete,
  kDeleteCollection,
  kConnect,  // exec, attach, portforward, proxy; log is a get
};
std::string_view verb_name(Verb verb);  // "deletecollection", as RBAC rules write it

enum class PatchType : uint8_t { kJson, kMerge, kStrategicMerge, kApply };

// Who asks. Filled by the authentication of the edge, or by the process for its own components.
struct UserInfo {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::vector<std::pair<std::string, std::vector<std::string>>> extra;
};

// metav1.DeleteOptions' preconditions: the write happens only to this very object.
struct Preconditions {
  std::string uid;               // empty: any
  std::string resource_version;  // empty: any
};

enum class PropagationPolicy : uint8_t { kUnset, kOrphan, kBackground, kForeground };
enum class FieldValidation : uint8_t { kIgnore, kWarn, kStrict };

struct RequestOptions {
  // List and watch.
  std::string label_selector;
  std::string field_selector;
  int64_t limit = 0;
  std::string continue_token;
  std::string resource_version;
  std::string resource_version_match;  // "", "Exact" or "NotOlderThan"
  bool allow_watch_bookmarks = false;
  std::optional<bool> send_initial_events;
  int64_t timeout_seconds = 0;  // 0: the server's choice
  // Writes.
  bool dry_run = false;
  bool force = false;  // server-side apply
  std::string field_manager;
  std::string user_agent;  // of a client on the network: who manages fields where it does not say
  FieldValidation field_validation = FieldValidation::kWarn;
  // Deletes.
  PropagationPolicy propagation = PropagationPolicy::kUnset;
  std::optional<int64_t> grace_period_seconds;
  Preconditions preconditions;
};

class AuditContext;

struct ApiRequest {
  Verb verb = Verb::kGet;
  KindId kind;
  std::string namespace_;   // empty: cluster-scoped, or all namespaces for list and watch
  std::string name;         // empty for list, watch, create, deletecollection
  std::string subresource;  // "status", "scale", "binding"…; empty for the object itself
  PatchType patch_type = PatchType::kMerge;
  Value body;  // the object, the patch, DeleteOptions or the subresource's own kind
  RequestOptions options;
  UserInfo user;
  std::shared_ptr<AuditContext> audit = {};  // what the audit log will say of it; null: nothing
};

struct ApiResponse {
  Value object;  // the object, the list, or a Status
  bool created = false;  // 201 rather than 200
  bool accepted = false;  // 202: deletion has begun and will finish later
  std::vector<std::string> warnings;
};

enum class WatchEventType : uint8_t { kAdded, kModified, kDeleted, kBookmark, kError };
std::string_view watch_event_name(WatchEventType type);  // "ADDED"

// kError carries a Status object and ends the watch.
struct WatchEvent {
  WatchEventType type = WatchEventType::kAdded;
  Value object;
};

}  // namespace minik::control
