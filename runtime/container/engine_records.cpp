#include "runtime/container/engine_records.h"

#include "runtime/container/codec.h"

namespace minik::runtime {

namespace {

void put(Writer& writer, const Annotations& annotations) {
  writer.put(static_cast<int64_t>(annotations.size()));
  for (const auto& [key, value] : annotations) writer.put(key).put(value);
}

Annotations read_annotations(Reader& reader) {
  Annotations annotations;
  for (int64_t left = reader.count(); left > 0 && reader.ok(); --left) {
    const std::string key = reader.text();
    annotations[key] = reader.text();
  }
  return annotations;
}

}  // namespace

std::string encode(const SandboxInfo& info) {
  Writer w;
  w.put(info.config.id).put(info.config.hostname).put(info.config.network_namespace);
  w.put(int64_t{info.config.host_ipc}).put(info.created.ns).put(int64_t{info.ready});
  put(w, info.config.annotations);
  return std::move(w).take();
}

Result<SandboxInfo> decode_sandbox(std::string_view bytes) {
  Reader r(bytes);
  SandboxInfo info;
  info.config.id = r.text();
  info.config.hostname = r.text();
  info.config.network_namespace = r.text();
  info.config.host_ipc = r.flag();
  info.created = {r.number()};
  info.ready = r.flag();
  info.config.annotations = read_annotations(r);
  if (!r.finished()) return Error(ErrorCode::kInvalid, "a damaged sandbox record");
  return info;
}

std::string encode(const ContainerInfo& info) {
  Writer w;
  w.put(info.id)
      .put(info.sandbox_id)
      .put(info.created.ns)
      .put(info.started.ns)
      .put(int64_t{info.pid});
  put(w, info.annotations);
  return std::move(w).take();
}

Result<ContainerInfo> decode_container(std::string_view bytes) {
  Reader r(bytes);
  ContainerInfo info;
  info.id = r.text();
  info.sandbox_id = r.text();
  info.created = {r.number()};
  info.started = {r.number()};
  info.pid = static_cast<int>(r.number());
  info.annotations = read_annotations(r);
  if (!r.finished()) return Error(ErrorCode::kInvalid, "a damaged container record");
  return info;
}

}  // namespace minik::runtime
