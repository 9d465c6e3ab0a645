// How a request of the wire becomes a call of the API: of its headers only what the conventions read, and its body
// in one of the formats that they know. Pure; what control/api/http.h makes of it is another step.
#pragma once

#include "control/api/http.h"
#include "control/base/result.h"
#include "minik/net/http_message.h"

namespace minik {

// Takes the body; the rest of the request stays where it is.
Result<control::HttpCall> to_api_call(HttpRequest& request);

}  // namespace minik
