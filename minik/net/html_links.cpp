#include "minik/net/html_links.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/base/text.h"

namespace minik {

namespace {

// What is longer holds data and not links. It is looked through again with each piece that comes.
constexpr size_t kTagBytesMax = 8 * 1024;
constexpr std::string_view kCommentEnd = "-->";

struct LinkAttributes {
  std::string_view tag, attributes;  // apart by a space
};
constexpr LinkAttributes kLinks[] = {
    {"a", "href"},           {"applet", "codebase"},         {"area", "href"},     {"audio", "src"},
    {"base", "href"},        {"blockquote", "cite"},         {"body", "background"}, {"button", "formaction"},
    {"command", "icon"},     {"del", "cite"},                {"embed", "src"},     {"form", "action"},
    {"frame", "longdesc src"}, {"head", "profile"},          {"html", "manifest"}, {"iframe", "longdesc src"},
    {"img", "longdesc src usemap"}, {"input", "src usemap formaction"}, {"ins", "cite"}, {"link", "href"},
    {"object", "classid codebase data usemap"}, {"q", "cite"}, {"script", "src"}, {"source", "src"},
    {"td", "background"},    {"track", "src"},               {"video", "src poster"}};

constexpr std::string_view kRawText[] = {"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_link(std::string_view tag, std::string_view attribute) {
  for (const auto& entry : kLinks) {
    if (entry.tag != tag) continue;
    const auto names = split(entry.attributes, ' ');
    return std::find(names.begin(), names.end(), attribute) != names.end();
  }
  return false;
}

std::string_view name_of_tag(std::string_view tag) {
  size_t end = 1;
  while (end < tag.size() && !is_space(tag[end]) && tag[end] != '/' && tag[end] != '>') ++end;
  return tag.substr(1, end - 1);
}

}  // namespace

std::string led_through(std::string_view link, std::string_view prefix, std::string_view host) {
  std::string_view path = link;
  for (const std::string_view scheme : {"http://", "https://", "//"}) {
    if (!path.starts_with(scheme)) continue;
    path.remove_prefix(scheme.size());
    const size_t slash = std::min(path.find('/'), path.size());
    if (host.empty() || path.substr(0, slash) != host) return std::string(link);
    path.remove_prefix(slash);
    if (path.empty()) path = "/";
    break;
  }
  if (!path.starts_with('/')) return std::string(link);
  const bool led = path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
  return led ? std::string(path) : cat(prefix, path);
}

std::string HtmlLinks::feed(std::string_view bytes) {
  held_.append(bytes);
  std::string out;
  do {
    progressed_ = false;
    step(out);
  } while (progressed_);
  return out;
}

std::string HtmlLinks::finish() { return std::exchange(held_, {}); }

// Passes on what is at the front as far as it is understood.
void HtmlLinks::step(std::string& out) {
  const auto pass = [&](size_t count) {
    out.append(held_, 0, count);
    held_.erase(0, count);
    progressed_ = count > 0;
  };
  if (held_.empty()) return;
  if (place_ == Place::kText) {
    const size_t open = held_.find('<');
    if (open != 0) return pass(std::min(open, held_.size()));
    if (held_.size() < 4 && std::string_view("<!--").starts_with(held_)) return;
    const bool comment = held_.starts_with("<!--");
    if (!comment && !is_letter(held_[1])) return pass(1);  // an end tag, a doctype, or no tag at all
    place_ = comment ? Place::kComment : Place::kTag;
    progressed_ = true;
    return;
  }
  if (place_ == Place::kTag) {
    const size_t length = tag_length();
    if (length == 0 && held_.size() <= kTagBytesMax) return;
    place_ = Place::kText;
    if (length == 0) return pass(held_.size());
    const std::string tag = held_.substr(0, length);
    held_.erase(0, length);
    pass_tag(tag, out);
    progressed_ = true;
    return;
  }
  const std::string_view end = place_ == Place::kComment ? kCommentEnd : std::string_view(raw_end_);
  const auto found = std::search(held_.begin(), held_.end(), end.begin(), end.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
  if (found == held_.end()) return pass(held_.size() < end.size() ? 0 : held_.size() - end.size() + 1);
  const size_t at = static_cast<size_t>(found - held_.begin());
  const bool comment = place_ == Place::kComment;
  place_ = Place::kText;
  pass(comment ? at + end.size() : at + 1);
  progressed_ = true;
}

// A '>' within quotes is none.
size_t HtmlLinks::tag_length() const {
  char quote = 0;
  bool value = false;  // behind an equals sign
  for (size_t at = 1; at < held_.size(); ++at) {
    const char c = held_[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (value && (c == '"' || c == '\'')) {
      quote = c;
      value = false;
    } else if (c == '>') {
      return at + 1;
    } else if (!is_space(c)) {
      value = c == '=';
    }
  }
  return 0;
}

void HtmlLinks::pass_tag(std::string_view tag, std::string& out) {
  const std::string name = to_lower(name_of_tag(tag));
  if (std::find(std::begin(kRawText), std::end(kRawText), name) != std::end(kRawText)) {
    place_ = Place::kRaw;
    raw_end_ = cat("</", name);
  }
  size_t at = 1 + name.size();
  out.append(tag.substr(0, at));
  while (at < tag.size()) {
    // Between attributes.
    const size_t begin = at;
    while (at < tag.size() && (is_space(tag[at]) || tag[at] == '/' || tag[at] == '>')) ++at;
    const size_t name_begin = at;
    if (at < tag.size()) ++at;  // an attribute may begin with an equals sign
    while (at < tag.size() && !is_space(tag[at]) && tag[at] != '=' && tag[at] != '>' && tag[at] != '/') ++at;
    const std::string attribute = to_lower(tag.substr(name_begin, at - name_begin));
    size_t value = at;
    while (value < tag.size() && is_space(tag[value])) ++value;
    if (value >= tag.size() || tag[value] != '=') {
      out.append(tag.substr(begin, at - begin));
      continue;
    }
    ++value;
    while (value < tag.size() && is_space(tag[value])) ++value;
    const char quote = value < tag.size() && (tag[value] == '"' || tag[value] == '\'') ? tag[value] : '\0';
    if (quote != 0) ++value;
    size_t end = value;
    while (end < tag.size() && (quote != 0 ? tag[end] != quote : !is_space(tag[end]) && tag[end] != '>')) ++end;
    out.append(tag.substr(begin, value - begin));
    const std::string_view link = tag.substr(value, end - value);
    out += is_link(name, attribute) ? led_through(link, prefix_, host_) : std::string(link);
    at = end;
    if (quote != 0 && at < tag.size()) out += tag[at++];
  }
}

}  // namespace minik
