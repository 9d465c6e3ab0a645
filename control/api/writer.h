// Writer: create, update, patch and delete of one request. Made for the request and thrown away; what
// it leaves behind are staged writes in the store.
#pragma once

#include <vector>

#include "control/admission/attributes.h"
#include "control/api/api_server.h"
#include "control/apply/managed_fields.h"

namespace minik::control {

class Writer {
 public:
  Writer(ApiServer& server, const ApiRequest& request);

  // What the request's verb says; a refusal takes along the warnings that were given before it.
  Result<ApiResponse> write();
  Result<ApiResponse> patch();
  Result<ApiResponse> remove();

  // `old`, in this request's form, with its patch: a document that names its kind. Not for apply.
  Result<Value> patched(const Value& old) const;
  // `next` with the account of who manages which field (metadata.managedFields), where ApiServerOptions want one
  // kept; see managed_fields.h.
  Result<Value> accounted(const Value& next, const Value& old) const;
  // `part`, what is sent to a subresource and is no object of the kind itself (a Scale, an Eviction), as users' webhooks
  // want it; an error where they or a policy refuse it.
  Result<Value> reviewed_part(Operation operation, const Value& part, const Value& old) const;
  // What users' webhooks and policies say of the write (admission_gate.h).
  Result<Value> mutated_by_webhooks(Operation operation, Value object, const Value& old);
  Status allowed_by_users(Operation operation, const Value& object, const Value& old) const;
  // Writes `next` over `old`, the stored version: the end of every path that changes an object. No
  // difference, no write; the last finalizer of a deleted object gone, the object goes.
  Value store_update(const Value& next, const Value& old);
  Value store_removal(const Value& object);
  // What depends on who writes, and on what is stored beside the object (write_rules.cpp). `old` is absent for a new
  // one.
  Status check_rules(const Value& object, const Value& old);

 private:
  Result<ApiResponse> by_verb();
  Result<ApiResponse> create();
  Result<ApiResponse> update();
  Result<ApiResponse> remove_collection();
  Result<Value> current() const;
  Status check_preconditions(const Value& object) const;
  Result<ApiResponse> create_by_put();
  Result<ApiResponse> write_over(const Value& old, Value updated);
  Result<Value> apply_patch(const Value& old) const;
  Result<ApiResponse> apply();
  Result<ApiResponse> create_applied(const Value& config, const FieldWriter& writer);
  Status check_configuration() const;
  Result<Value> decode_configuration() const;
  // Kind, name and namespace of the body are those of the URL, where it says any.
  Status check_body_names() const;
  FieldWriter field_writer() const;
  bool is_from_network() const;
  WriteAttributes attributes(Operation operation, const Value& object, const Value& old) const;
  Result<ApiResponse> remove_object(const Value& object);
  Value with_propagation(const Value& object);
  int64_t grace_seconds(const Value& object) const;
  Result<Value> decoded(const Value& body, const Value& known);
  // Of a valid object, before anybody else is asked about it.
  void warn_of(const Value& object, const Value& old);
  Result<Value> as_the_same(const Value& changed, const Value& old) const;
  Status check_removal_rules(const Value& object) const;

  ApiServer& server_;
  const ApiRequest& request_;
  const ResourceInfo& resource_;
  std::vector<std::string> warnings_;
  std::optional<Value> account_;  // of an apply: the managedFields to come
};

// The document's apiVersion and kind, where it says any, are the resource's.
Status check_kind(const ResourceInfo& resource, const Value& body);
// Name and namespace of the document, where it says any, are those of the URL.
Status check_name(const ResourceInfo& resource, const ApiRequest& request, const Value& body);
Status check_namespace(const ResourceInfo& resource, const ApiRequest& request, const Value& body);

// metav1.Status with status Success, as a finished delete answers.
Value success_status(const ResourceInfo& resource, const Value& object);

}  // namespace minik::control
