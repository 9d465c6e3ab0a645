// What a write is told beside its answer (`Warning` headers): fields and annotations that no longer do anything, and
// combinations that are valid and hardly meant, in kube-apiserver's words.
//
// Pure functions of the object; what is valid stays valid. Only clients are told, and only of what they change: the
// cluster's own components write far more often and read no warnings.
#pragma once

#include <string>
#include <vector>

#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

// Of a new object. Of a changed one too, but for pods, whose changes come from components for the most part.
std::vector<std::string> object_warnings(const ResourceInfo& resource, const Value& object);
std::vector<std::string> change_warnings(const ResourceInfo& resource, const Value& object);

// Of a kind that will go one day, whatever is done with it; empty for all others.
std::string_view kind_warning(const ResourceInfo& resource);

}  // namespace minik::control
