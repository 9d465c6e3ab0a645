#include "sim/report/page.h"

namespace minik::sim {

namespace {

#include "sim/report/page.inc"

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string report_page(std::string_view title, std::string_view json) {
  std::string page;
  page.reserve(json.size() + kPageHtml.size() + kPageCss.size() + kPageJs.size());
  // {{name}} in page.html.
  for (std::string_view rest = kPageHtml; !rest.empty();) {
    const size_t begin = rest.find("{{");
    page += rest.substr(0, begin);
    if (begin == std::string_view::npos) break;
    const size_t end = rest.find("}}", begin);
    const auto name = rest.substr(begin + 2, end - begin - 2);
    if (name == "title") page += escaped(title);
    if (name == "style") page += kPageCss;
    if (name == "script") page += kPageJs;
    if (name == "data") page += json;
    rest.remove_prefix(end + 2);
  }
  return page;
}

}  // namespace minik::sim
