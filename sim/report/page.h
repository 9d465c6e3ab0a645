// The report's page around its data: HTML, style and script are compiled in from page.html, page.css and
// page.js.
#pragma once

#include <string>
#include <string_view>

namespace minik::sim {

// `json` must be free of "<", as control::to_json leaves it.
std::string report_page(std::string_view title, std::string_view json);

}  // namespace minik::sim
