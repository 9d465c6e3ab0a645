// A client's request as it is sent on to an endpoint: the same method, headers and body without what belongs to the
// client's own connection, and with X-Forwarded-* in place of what the client claims. A body that is streamed is not
// part of it: it follows, as long as the client has said or else in chunks (UpstreamOrder::body).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "minik/net/http_message.h"

namespace minik {

// The API's own credentials end at the API; an Ingress hands on what is meant for the application.
enum class Credentials { kPassed, kWithheld };

struct ForwardedRequest {
  std::string_view path;
  std::string_view scheme;  // "https", as the client came
  Credentials credentials = Credentials::kPassed;
  std::string_view host = {};               // instead of the client's own word; empty: that
  std::vector<HttpHeader> added = {};       // after the client's
  std::string_view omitted = {};            // a header that is left out
};

std::string forwarded_request(const HttpRequest& request, const ForwardedRequest& how);

// Safe to send a second time when the first went unanswered.
bool is_repeatable(const HttpRequest& request);

}  // namespace minik
