#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libimage/storage/container_store.h"
#include "libimage/store/store.h"

namespace lade {

/// Reads images of a containers/storage store. Manifests and configs are as they were stored;
/// layers are there as plain tars only, put together again from their trees: see served_as().
class StorageReader final : public Reader {
 public:
  /// `image`: what an empty Tag resolves to, as in the name; "" where the name is the store's
  /// alone.
  StorageReader(std::shared_ptr<ContainerStore> store, std::string image);

  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override;
  /// All names of the store; with an image's name, those of its repository.
  std::optional<std::vector<std::string>> tags() override;
  oci::Descriptor served_as(const oci::Descriptor& layer) override;
  std::vector<std::string> signatures(const oci::Descriptor& document) override;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override;

 private:
  [[nodiscard]] std::optional<oci::Descriptor> resolve_text(const std::string& text);
  [[nodiscard]] std::optional<oci::Descriptor> resolve_digest(const Digest& digest);
  void note_layers(const StoreView& view, const std::string& raw);

  std::shared_ptr<ContainerStore> store_;
  std::string image_;
  std::mutex mutex_;
  std::map<Digest, DiffId> diff_ids_;  // guarded by mutex_: of layers of the manifests read
};

/// The content of an image's data item, verified against its recorded digest by who opens it.
std::string read_data(const StoreView::Data& data);

}  // namespace lade
