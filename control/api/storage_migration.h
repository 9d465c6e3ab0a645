// How the objects of a custom resource get into another version's form (control/extension/stored_form.h).
//
// status.storedVersions names the form in which they are, so its version cannot be removed from the definition, and
// everything is read and written through the webhook. Only when an administrator takes it out of status.storedVersions
// are all objects converted and put back in one turn. A webhook that fails leaves everything as it was.
//
// Part of CustomResources, on the control thread.
#pragma once

#include <functional>
#include <memory>

#include "control/api/conversion.h"
#include "control/object/value.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

class StorageMigration {
 public:
  StorageMigration(Store& store, Conversion& conversion) : store_(store), conversion_(conversion) {}

  // Converts all objects, asking again about those that were written meanwhile, and replaces them in the turn in which
  // `done` is called. Nothing is replaced when it fails.
  void run(const ResourceInfo& from, const ResourceInfo& to, std::function<void(Status)> done);

 private:
  struct Job;
  void next(const std::shared_ptr<Job>& job);
  void finish(const std::shared_ptr<Job>& job);

  Store& store_;
  Conversion& conversion_;
};

}  // namespace minik::control
