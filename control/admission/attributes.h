// WriteAttributes: what admission is told of a request that wants to change something.
//
// Plain values that borrow nothing but the kind, whose definition stays (kind_registry.h).
#pragma once

#include <string>
#include <string_view>

#include "control/client/request.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

enum class Operation : uint8_t { kCreate, kUpdate, kDelete, kConnect };
std::string_view operation_name(Operation operation);  // "CREATE"

struct WriteAttributes {
  Operation operation = Operation::kCreate;
  const ResourceInfo* resource = nullptr;
  std::string subresource, namespace_, name;
  // As stored, without apiVersion and kind; absent where the operation has none.
  Value object, old_object;
  UserInfo user;
  bool dry_run = false;
  Value options;  // CreateOptions and their like; absent for a connection
};

// With the apiVersion and kind that `as` gives it; null for an absent object.
Value named_object(const ResourceInfo& as, const Value& object);
Value user_document(const UserInfo& user);
// The options of the request as a document of meta.k8s.io/v1: CreateOptions, UpdateOptions, PatchOptions, DeleteOptions.
Value options_document(Operation operation, const ApiRequest& request);

}  // namespace minik::control
