// Subresources that are more than a view of the object: scale, binding, eviction, finalize, token, and
// the review kinds that are asked rather than stored.
//
// Made for one request and thrown away, like Writer.
#pragma once

#include "control/api/api_server.h"

namespace minik::control {

class Subresources {
 public:
  Subresources(ApiServer& server, const ApiRequest& request);

  // status is Writer's and ApiServer's; everything else comes here.
  Result<ApiResponse> handle();
  // SelfSubjectReview, SelfSubjectAccessReview and their relatives.
  static bool is_review(const ResourceInfo& resource);
  Result<ApiResponse> review();
  // Whether the sender may "approve" or "sign" requests of this one's signer.
  Status may_decide(const Value& certificate_request, std::string_view verb) const;

 private:
  Result<ApiResponse> scale();
  Result<ApiResponse> apply_scale();
  Result<ApiResponse> bind();
  Result<ApiResponse> ephemeral_containers();
  Result<ApiResponse> resize();
  // What a PUT or PATCH of a part of `old` makes of it: the whole object, decoded.
  Result<Value> wanted(const Value& old);
  // What was sent, a document of this kind: of its types, so that what comes of it can be stored.
  Result<Value> sent_as(std::string_view api_version, std::string_view kind, const Value& body) const;
  // What is posted to a part of a pod says of which pod.
  Status check_sent_name(std::string_view kind, const Value& sent) const;
  Result<ApiResponse> changed_pod(const Value& next, const Value& old);
  Result<ApiResponse> evict();
  // The one budget that selects the pod, or absent; two are an error.
  Result<Value> budget_of(const Value& pod) const;
  Result<ApiResponse> finalize();
  Result<ApiResponse> approve();
  Result<ApiResponse> token();
  Status bind_token(const Value& reference, const Value& account, TokenBond& bond) const;
  Status check_access_review() const;
  Result<Value> token_status() const;

  ApiServer& server_;
  const ApiRequest& request_;
  const ResourceInfo& resource_;
};

}  // namespace minik::control
