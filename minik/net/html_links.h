// HtmlLinks: a page of HTML on its way through the proxy, whose links into the endpoint's own root are led through the
// proxy again: href="/a" becomes href="PREFIX/a", as a kube-apiserver does it.
//
// Bytes in, bytes out, piece by piece. Only attributes that are links by HTML's definition are changed (href of a, src
// of img, action of form…); what is relative, leads to another host or has the prefix already stays, and so does
// everything else byte by byte: text, comments, the insides of script, style and their like. A tag that is longer than
// the limit passes unchanged. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace minik {

// A link, or the Location of a redirect, as the client must follow it. `host` is the name under which the client came
// to us: what leads to that host leads to the endpoint.
std::string led_through(std::string_view link, std::string_view prefix, std::string_view host = {});

class HtmlLinks {
 public:
  HtmlLinks(std::string_view prefix, std::string_view host) : prefix_(prefix), host_(host) {}

  // What can be passed on now.
  std::string feed(std::string_view bytes);
  // The rest, at the end of the page.
  std::string finish();

 private:
  enum class Place { kText, kTag, kComment, kRaw };
  void step(std::string& out);
  // The length of the tag at the front; 0 while its end has not come.
  size_t tag_length() const;
  void pass_tag(std::string_view tag, std::string& out);

  const std::string prefix_, host_;
  std::string held_;  // not passed on yet
  Place place_ = Place::kText;
  std::string raw_end_;  // "</script": where text without markup ends
  bool progressed_ = false;
};

}  // namespace minik
