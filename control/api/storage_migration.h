// In which version's form the objects of a custom resource are stored, where a webhook turns versions into each other,
// and how they get into another form.
//
// When a definition names another storage version, its objects stay in the form of the version before: status.storedVersions
// names it, so it cannot be removed from the definition, and everything is read and written through the webhook. Only
// when an administrator takes it out of status.storedVersions are all objects converted and put back in one turn. A
// webhook that fails leaves everything as it was. Without a webhook versions have one form, and nothing of this happens.
//
// Part of CustomResources, on the control thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/conversion.h"
#include "control/object/value.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

bool converts_by_webhook(const Value& definition);
std::string_view storage_version(const Value& definition);
// The version in whose form the objects are.
std::string stored_form(const Value& definition);
// The definition with an annotation of that, where it does not follow from the rest.
Value with_stored_form(const Value& definition, const std::string& form);
// Whether nothing may be stored in this form any more.
bool is_to_leave(const Value& definition, const std::string& form);

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
