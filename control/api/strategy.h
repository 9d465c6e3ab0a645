// What differs between kinds when an object is written: which parts a client may set, what a change of
// the desired state is, and where the schema's decoding, defaulting and validation come in.
//
// Pure functions. Subtrees that are the same node as before are neither defaulted nor validated again,
// which is why ten thousand pods of one template cost one validation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/client/request.h"
#include "control/schema/schema.h"

namespace minik::control {

// The body of a create or update as the schema wants it: known fields only, normal forms, defaults.
// Warnings are for the client (`unknown field "spec.foo"`). `known` is the stored version, whose
// subtrees need no second look; absent for a new object.
Result<Value> decode_and_default(const ResourceInfo& resource, const Value& body, const Value& known,
                                 FieldValidation validation, std::vector<std::string>& warnings);

// Without the defaults: what the body itself says. For configurations that are applied.
Result<Value> decode_body(const ResourceInfo& resource, const Value& body, const Value& known,
                          FieldValidation validation, std::vector<std::string>& warnings);

Value prepare_for_create(const ResourceInfo& resource, const Value& object);
// The object to be stored when `updated` is written over `old` through the main resource: status and
// what the server owns stay as they are.
// What follows from the uid: the selector of a Job and the labels of its pods.
Value complete_new(const ResourceInfo& resource, const Value& object);
Value prepare_for_update(const ResourceInfo& resource, const Value& updated, const Value& old);
// The same through the status subresource: everything but the status stays.
Value prepare_for_status_update(const ResourceInfo& resource, const Value& updated, const Value& old);
// Of certificate requests: what is wrong with an update that takes an Approved, Denied or Failed away, and with one by the
// status that adds an Approved or Denied.
std::vector<ErrorCause> removed_decisions(const Value& updated, const Value& old);
std::vector<ErrorCause> added_decisions(const Value& updated, const Value& old);

// What metadata.generation counts: everything but metadata, and but the status where that is written apart.
bool desired_state_changed(const ResourceInfo& resource, const Value& updated, const Value& old);
bool has_generation(const ResourceInfo& resource);
bool has_status_subresource(const ResourceInfo& resource);

Status validate_create(const ResourceInfo& resource, const Value& object);
Status validate_update(const ResourceInfo& resource, const Value& object, const Value& old,
                       std::string_view subresource);

}  // namespace minik::control
