// What an answer of the API is over HTTP: the reply's status and bytes, its warnings within bounds, and what tells a
// client in which line it waited and under which number the audit log has it. Internal to ApiFront; pure.
#pragma once

#include <vector>

#include "control/api/flow_control.h"
#include "control/api/http.h"
#include "control/audit/audit_context.h"
#include "control/base/result.h"
#include "minik/net/http_message.h"

namespace minik {

HttpResponse to_http(control::HttpReply reply);
HttpResponse to_http(const Error& error);

// On the control thread, or after it has answered. Without an audit log, or before the request is in it, no number.
std::vector<HttpHeader> answer_headers(const control::FlowClass& flow, const control::AuditContext* audit);

}  // namespace minik
