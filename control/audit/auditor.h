// Auditor: what the API server tells the audit log. Asks the policy when a request comes, and hands a record of each
// stage that the policy wants to the sink, which must return at once: nothing here waits for a disk.
//
//   request --> begin (RequestReceived) --> … --> respond (ResponseStarted of a watch or stream)
//                                            \--> complete (ResponseComplete)
//
// The same in both worlds; the simulator's sink keeps lines, the process' writes a file (minik/process/audit_log).
// begin() belongs to the control thread; the rest may be called by whoever holds the request.
#pragma once

#include <functional>

#include "control/audit/audit_context.h"
#include "control/audit/audit_event.h"
#include "control/base/rng.h"
#include "control/schema/schema.h"

namespace minik::control {

using AuditSink = std::function<void(AuditRecord)>;

class Auditor {
 public:
  Auditor(AuditPolicy policy, Rng rng, AuditSink sink) : policy_(std::move(policy)), rng_(rng), sink_(std::move(sink)) {}

  // A request for a resource; makes the context of a component's own.
  void begin(const Schema& schema, ApiRequest& request, WallTime now);
  // A request for a path that is no resource, or for a resource that is not there.
  void begin(AuditContext& context, const UserInfo& user, const Attributes& asked, WallTime now);

  void respond(const AuditContext& context, int code, WallTime now) const;
  // Without an answer's object; `error` is null for a success.
  void complete(const AuditContext& context, int code, const Error* error, WallTime now) const;
  void complete(const AuditContext& context, const ResourceInfo& resource, const Result<ApiResponse>& result, WallTime now) const;

 private:
  void tell(const AuditContext& context, AuditRecord record) const;
  void receive(AuditContext& context, const UserInfo& user, AuditedRequest request, WallTime now);

  AuditPolicy policy_;
  Rng rng_;
  AuditSink sink_;
};

}  // namespace minik::control
