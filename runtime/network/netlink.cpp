#include "runtime/network/netlink.h"

#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>

#include <functional>

#include "control/base/text.h"

namespace minik::runtime {

namespace {

Error failed(int code, std::string_view what) {
  return Error(ErrorCode::kInternalError, cat(what, ": ", nl_geterror(code)));
}

template <typename T, void (*Put)(T*)>
struct Releaser {
  void operator()(T* object) const { Put(object); }
};
using LinkPtr = std::unique_ptr<rtnl_link, Releaser<rtnl_link, rtnl_link_put>>;
using AddressPtr = std::unique_ptr<rtnl_addr, Releaser<rtnl_addr, rtnl_addr_put>>;
using RoutePtr = std::unique_ptr<rtnl_route, Releaser<rtnl_route, rtnl_route_put>>;
using NlAddressPtr = std::unique_ptr<nl_addr, Releaser<nl_addr, nl_addr_put>>;

}  // namespace

namespace {

Result<NlAddressPtr> parse_address(const std::string& text) {
  nl_addr* parsed = nullptr;
  const int code = nl_addr_parse(text == "default" ? "0.0.0.0/0" : text.c_str(), AF_INET, &parsed);
  if (code < 0) return failed(code, cat("address ", text));
  return NlAddressPtr(parsed);
}

}  // namespace

struct Netlink::Impl {
  ~Impl() { nl_socket_free(socket); }

  Result<LinkPtr> link(const std::string& name) const {
    rtnl_link* found = nullptr;
    const int code = rtnl_link_get_kernel(socket, 0, name.c_str(), &found);
    if (code < 0) return failed(code, cat("network device ", name));
    return LinkPtr(found);
  }

  using Fill = std::function<void(rtnl_route*)>;
  static Result<RoutePtr> route_to(const std::string& destination, const Fill& fill) {
    MINIK_ASSIGN(const auto to, parse_address(destination));
    RoutePtr route(rtnl_route_alloc());
    rtnl_route_set_family(route.get(), AF_INET);
    rtnl_route_set_dst(route.get(), to.get());
    fill(route.get());
    return route;
  }

  Status add_route(const std::string& destination, const Fill& fill) const {
    MINIK_ASSIGN(const auto route, route_to(destination, fill));
    const int code = rtnl_route_add(socket, route.get(), NLM_F_CREATE | NLM_F_REPLACE);
    if (code < 0) return failed(code, cat("add route to ", destination));
    return {};
  }

  nl_sock* socket = nullptr;
};

Netlink::Netlink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Netlink::~Netlink() = default;

Result<std::unique_ptr<Netlink>> Netlink::open() {
  auto impl = std::make_unique<Impl>();
  impl->socket = nl_socket_alloc();
  const int code = nl_connect(impl->socket, NETLINK_ROUTE);
  if (code < 0) return failed(code, "netlink socket");
  return std::unique_ptr<Netlink>(new Netlink(std::move(impl)));
}

bool Netlink::has_link(const std::string& name) {
  return impl_->link(name).ok();
}

Status Netlink::add_bridge(const std::string& name, const std::string& hardware_address) {
  nl_addr* parsed = nullptr;
  if (const int bad = nl_addr_parse(hardware_address.c_str(), AF_LLC, &parsed); bad < 0)
    return failed(bad, cat("address ", hardware_address));
  const NlAddressPtr address(parsed);
  const LinkPtr bridge(rtnl_link_bridge_alloc());
  rtnl_link_set_name(bridge.get(), name.c_str());
  rtnl_link_set_addr(bridge.get(), address.get());
  const int code = rtnl_link_add(impl_->socket, bridge.get(), NLM_F_CREATE);
  if (code < 0 && code != -NLE_EXIST) return failed(code, cat("add bridge ", name));
  return {};
}

Status Netlink::add_veth(const std::string& name, const std::string& peer, int peer_namespace) {
  const LinkPtr veth(rtnl_link_veth_alloc());
  rtnl_link_set_name(veth.get(), name.c_str());
  const LinkPtr other(rtnl_link_veth_get_peer(veth.get()));
  rtnl_link_set_name(other.get(), peer.c_str());
  rtnl_link_set_ns_fd(other.get(), peer_namespace);
  const int code = rtnl_link_add(impl_->socket, veth.get(), NLM_F_CREATE | NLM_F_EXCL);
  if (code < 0) return failed(code, cat("add veth ", name));
  return {};
}

Status Netlink::remove_link(const std::string& name) {
  const auto found = impl_->link(name);
  if (!found) return {};
  const int code = rtnl_link_delete(impl_->socket, found->get());
  if (code < 0) return failed(code, cat("remove ", name));
  return {};
}

Status Netlink::set_master(const std::string& name, const std::string& bridge) {
  MINIK_ASSIGN(const auto slave, impl_->link(name));
  MINIK_ASSIGN(const auto master, impl_->link(bridge));
  const int code = rtnl_link_enslave(impl_->socket, master.get(), slave.get());
  if (code < 0) return failed(code, cat("put ", name, " into bridge ", bridge));
  return {};
}

Status Netlink::set_up(const std::string& name) {
  MINIK_ASSIGN(const auto link, impl_->link(name));
  const LinkPtr change(rtnl_link_alloc());
  rtnl_link_set_flags(change.get(), rtnl_link_str2flags("up"));
  const int code = rtnl_link_change(impl_->socket, link.get(), change.get(), 0);
  if (code < 0) return failed(code, cat("bring ", name, " up"));
  return {};
}

Status Netlink::add_address(const std::string& name, const std::string& text) {
  MINIK_ASSIGN(const auto link, impl_->link(name));
  MINIK_ASSIGN(const auto local, parse_address(text));
  const AddressPtr address(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(address.get(), rtnl_link_get_ifindex(link.get()));
  rtnl_addr_set_local(address.get(), local.get());
  const int code = rtnl_addr_add(impl_->socket, address.get(), 0);
  if (code < 0 && code != -NLE_EXIST) return failed(code, cat("add address ", text, " to ", name));
  return {};
}

namespace {

void add_hop(rtnl_route* route, const std::function<void(rtnl_nexthop*)>& fill) {
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  fill(hop);
  rtnl_route_add_nexthop(route, hop);
}

void lead_to_link(rtnl_route* route, rtnl_link* link) {
  rtnl_route_set_scope(route, RT_SCOPE_LINK);
  add_hop(route, [link](rtnl_nexthop* hop) {
    rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link));
  });
}

}  // namespace

Status Netlink::add_route(const std::string& destination, const std::string& gateway) {
  MINIK_ASSIGN(const auto via, parse_address(gateway));
  return impl_->add_route(destination, [&](rtnl_route* route) {
    add_hop(route, [&](rtnl_nexthop* hop) { rtnl_route_nh_set_gateway(hop, via.get()); });
  });
}

Status Netlink::add_link_route(const std::string& destination, const std::string& name) {
  MINIK_ASSIGN(const auto link, impl_->link(name));
  return impl_->add_route(destination, [&](rtnl_route* route) { lead_to_link(route, link.get()); });
}

Status Netlink::add_unreachable_route(const std::string& destination) {
  return impl_->add_route(destination, [](rtnl_route* route) {
    rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
    rtnl_route_set_type(route, RTN_UNREACHABLE);
  });
}

Status Netlink::remove_link_route(const std::string& destination, const std::string& name) {
  const auto link = impl_->link(name);
  if (!link) return {};
  MINIK_ASSIGN(const auto route,
               Impl::route_to(destination, [&](rtnl_route* r) { lead_to_link(r, link->get()); }));
  const int code = rtnl_route_delete(impl_->socket, route.get(), 0);
  if (code < 0 && code != -NLE_OBJ_NOTFOUND)
    return failed(code, cat("remove route to ", destination));
  return {};
}

}  // namespace minik::runtime
