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

 private:
  Result<ApiResponse> scale();
  Result<ApiResponse> bind();
  Result<ApiResponse> evict();
  // The one budget that selects the pod, or absent; two are an error.
  Result<Value> budget_of(const Value& pod) const;
  Result<ApiResponse> finalize();
  Result<ApiResponse> approve();
  Result<ApiResponse> token();
  Value scale_of(const Value& object) const;

  ApiServer& server_;
  const ApiRequest& request_;
  const ResourceInfo& resource_;
};

}  // namespace minik::control
