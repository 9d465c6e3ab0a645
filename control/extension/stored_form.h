// In which version's form the objects of a custom resource are stored, where a webhook turns versions into each other.
//
// When a definition names another storage version, its objects stay in the form of the version before. That follows from
// status.storedVersions, whose oldest it is, and once it does not, an annotation says so. Both are in the definition
// itself, and every write keeps them true (strategy.cpp): who reads the store after a crash need know nothing else.
// Without a webhook versions have one form. Plain functions of definitions.
#pragma once

#include <string>
#include <string_view>

#include "control/object/value.h"

namespace minik::control {

bool converts_by_webhook(const Value& definition);
std::string_view storage_version(const Value& definition);
// The version in whose form the objects are.
std::string stored_form(const Value& definition);
// The definition with an annotation of that, where it does not follow from the rest.
Value with_stored_form(const Value& definition, const std::string& form);
// Whether nothing may be stored in this form any more.
bool is_to_leave(const Value& definition, const std::string& form);

}  // namespace minik::control
