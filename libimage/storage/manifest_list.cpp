#include "libimage/storage/manifest_list.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/json_writer.h"
#include "libimage/storage/signature_data.h"

namespace lade {
namespace {

/// As transports of containers/image spell the image of that ID in this store.
std::string name_of(const ContainerStore& store, const std::string& id) {
  const StoreLocation& location = store.location();
  return cat("containers-storage:[", store.root().driver_name(), "@", location.graph_root,
             location.run_root.empty() ? "" : "+", location.run_root, "]@", id);
}

std::string instances_json(const ContainerStore& store, const std::string& id,
                           const std::map<Digest, std::string>& images) {
  oci::json::ObjectWriter out;
  out.string("", id);  // the list itself
  for (const auto& [digest, image] : images) out.string(digest.str(), name_of(store, image));
  return out.finish();
}

}  // namespace

void record_list(ContainerStore& store, const ListToRecord& list,
                 const std::vector<std::string>& names) {
  const Digest& digest = list.descriptor.digest;
  const std::string id(digest.encoded());
  if (!is_storage_id(id)) {
    throw Error(Errc::unsupported,
                cat("container storage holds lists by sha256 digests, not ", digest.str()));
  }
  StoreUpdate update(store);
  GraphRoot& root = store.root();
  ImageRecord record;
  if (const KnownImage* const old = update.view().image(id); old != nullptr && old->root == &root) {
    record = old->record;
  } else {
    record.id = id;
    record.metadata = "{}";
    record.created = to_rfc3339(system_now());
  }
  const auto add = [&](const std::string& key, const std::string& text, const Digest& of) {
    root.write_data(id, key, text);
    record.set_data(key, static_cast<std::int64_t>(text.size()), of);
  };
  add(manifest_key(digest), list.raw, digest);
  add(std::string(kManifestKey), list.raw, digest);
  const std::string instances = instances_json(store, id, list.images);
  add(std::string(kInstancesKey), instances, sha256_of(instances));
  if (list.signatures) add_signatures(record, digest, *list.signatures, add);
  record.digest = digest.str();
  for (const std::string& name : names) record.add_name(name);
  update.put_image(record);
}

}  // namespace lade
