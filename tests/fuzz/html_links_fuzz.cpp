// Pages of endpoints: whatever their bytes are and however they are cut, the same comes out, and what holds no link is
// not changed.
#include <cstdint>
#include <string>

#include "control/base/check.h"
#include "minik/net/html_links.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view page(reinterpret_cast<const char*>(data) + 1, size - 1);
  minik::HtmlLinks whole("/proxy", "host"), pieces("/proxy", "host"), nothing("", "");
  std::string expected = whole.feed(page);
  expected += whole.finish();
  std::string got;
  for (size_t at = 0; at < page.size(); at += 1 + data[0] % 16) got += pieces.feed(page.substr(at, 1 + data[0] % 16));
  got += pieces.finish();
  CHECK(page.size() >= 8 * 1024 || got == expected) << got;
  CHECK(expected.size() >= page.size() || page.find("host") != std::string_view::npos) << expected;
  const std::string kept = nothing.feed(page);
  CHECK(kept + nothing.finish() == page) << kept;
  return 0;
}
