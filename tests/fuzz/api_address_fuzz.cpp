// What stands in the address of a request: paths, queries, selectors of fields, tokens by which lists go on, targets of the
// proxy. A token that is understood is written again and understood as the same.
#include <cstdint>

#include "control/api/continue_token.h"
#include "control/api/field_selection.h"
#include "control/api/http.h"
#include "control/base/check.h"
#include "control/base/text.h"
#include "control/schema/schema.h"
#include "minik/net/api_proxy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t mark = text.find('?');
  HttpCall call;
  call.method = "GET";
  call.path = text.substr(0, mark);
  if (mark != std::string_view::npos) call.query = text.substr(mark + 1);
  (void)parse_call(Schema::builtin(), call);
  const auto proxy = minik::split_proxy_path(call.path);
  CHECK(minik::cat(proxy.prefix, proxy.rest) == call.path) << call.path;
  (void)FieldSelection::parse(*Schema::builtin().find("", "v1", "pods"), call.query);
  if (const auto token = decode_continue(text)) {
    const auto again = decode_continue(encode_continue(*token));
    CHECK(again.has_value() && again->namespace_ == token->namespace_ && again->name == token->name) << text;
  }
  return 0;
}
