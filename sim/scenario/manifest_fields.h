// What is wrong with a manifest's fields before any API server sees it: those that no object of its kind has, which a server
// would drop with a warning that nobody reads in a simulated run, and values of the wrong type.
//
// Whether required fields are there and values make sense is what the API server's own rules say. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::sim {

// The kind in the version that is stored, which is what expectations see; null for kinds that a scenario defines.
const control::ResourceInfo* stored_resource(control::KindId kind);

struct FieldComplaint {
  std::string path;  // "spec.template.spec.containers[0].imagePullPolcy"; empty: of the object
  std::string what;
};

// The first; nothing when all is well. Of kinds that are defined at run time nothing is known.
std::optional<FieldComplaint> complaint_about(const control::ResourceInfo& resource, const control::Value& manifest);
// The same of a merge patch, or a strategic one with its directives.
std::optional<FieldComplaint> complaint_about_patch(const control::ResourceInfo& resource, const control::Value& patch);
// Of the path of a field, as a field selector has it.
std::optional<std::string> complaint_about_path(const control::ResourceInfo& resource, std::string_view path);

// With which words the API server will refuse to create this object, as far as it depends on nothing else.
std::optional<std::string> refusal_of(const control::ResourceInfo& resource, const control::Value& manifest);

}  // namespace minik::sim
