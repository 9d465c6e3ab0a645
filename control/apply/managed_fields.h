// Managed fields: who owns which part of an object (metadata.managedFields), and what a write makes of it.
//
//   an update, create or patch   the writer owns what it changed; whoever owned that before does not any more
//   an apply                     the applier owns what its configuration names, alone or with others who
//                                have the same value; what another owns with a different value is a conflict,
//                                unless it is forced; what it named last time and names no more goes, where
//                                nobody else owns it
//
// As the API conventions of server-side apply and structured-merge-diff define it. Pure functions; the API
// server decides whose writes are kept account of. An object of which nothing is managed costs nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/apply/typed_document.h"
#include "control/base/time.h"

namespace minik::control {

// Whose write it is.
struct FieldWriter {
  std::string manager;
  std::string subresource;  // empty, "status" or "scale"
  WallTime now;
};

struct AppliedObject {
  Value object;          // with metadata.managedFields
  bool changed = false;  // false: neither the object nor who owns what
};

// `next` with the account of what it changes about `before` (absent: it is new). Where next's own managedFields
// differ from those of before they are taken as given; an empty list, or a list of one empty entry, resets them.
Result<Value> updated_managers(const ResourceInfo& resource, const Value& before, const Value& next,
                               const FieldWriter& writer);

// `config` is decoded but not defaulted. `live` absent: the object is made of the configuration alone. A
// conflict is an error of code kConflict with a cause for each field, as kube-apiserver words it.
Result<AppliedObject> apply_configuration(const ResourceInfo& resource, const Value& live, const Value& config,
                                          const FieldWriter& writer, bool force);

}  // namespace minik::control
