#include "minik/net/api_answer.h"

#include <set>
#include <string_view>
#include <utility>

#include "control/audit/audit_event.h"
#include "control/base/text.h"
#include "control/base/utf8.h"
#include "minik/net/limits.h"

namespace minik {

namespace {

void add_warnings(HttpResponse& response, const std::vector<std::string>& warnings) {
  std::set<std::string_view> seen;
  std::vector<std::string_view> once;
  size_t bytes = 0;
  for (const std::string_view warning : warnings) {
    if (!seen.insert(warning).second) continue;
    once.push_back(warning);
    bytes += warning.size();
  }
  const bool cut = bytes > kApiWarningBytesMax;
  bytes = 0;
  for (const std::string_view warning : once) {
    std::string_view text = warning.substr(0, cut ? kApiWarningCutBytes : warning.npos);
    text = text.substr(0, utf8_prefix(text));
    if ((bytes += text.size()) > kApiWarningBytesMax) break;
    response.headers.push_back({"warning", cat("299 - ", quoted(text))});
  }
}

}  // namespace

HttpResponse to_http(control::HttpReply reply) {
  HttpResponse response{reply.status, {{"content-type", std::move(reply.content_type)}}, {}};
  for (auto& [name, value] : reply.headers) response.headers.push_back({name, std::move(value)});
  add_warnings(response, reply.warnings);
  // Lists change at any moment; a proxy or browser must not keep them.
  response.headers.push_back({"cache-control", "no-cache, private"});
  response.body = std::move(reply.body);
  return response;
}

HttpResponse to_http(const Error& error) {
  return to_http(control::reply_with(error));
}

std::vector<HttpHeader> answer_headers(const control::FlowClass& flow, const control::AuditContext* audit) {
  std::vector<HttpHeader> headers;
  if (!flow.schema_uid.empty()) {
    headers = {{"x-kubernetes-pf-flowschema-uid", flow.schema_uid}, {"x-kubernetes-pf-prioritylevel-uid", flow.level->uid}};
  }
  if (audit && audit->request) headers.push_back({"audit-id", audit->request->id});
  return headers;
}

}  // namespace minik
