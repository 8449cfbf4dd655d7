#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libimage/storage/staged_layer.h"
#include "libimage/store/store.h"

namespace lade {

/// Writes images into a containers/storage store. Layers are unpacked beside it while they come, in
/// parallel; put_manifest() gives them their places, one short lock for each, and tag() or finish()
/// records the image.
class StorageWriter final : public Writer {
 public:
  /// `image`: the name that an empty Tag gives, as typed; "" where the name is the store's alone.
  StorageWriter(std::shared_ptr<ContainerStore> store, std::string image);
  ~StorageWriter() override;

  bool contains(const oci::Descriptor& blob) override;
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override;
  /// A list is recorded with the images of it that are here by then.
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override;
  /// To be called before tag() and finish().
  void put_signatures(const oci::Descriptor& document,
                      const std::vector<std::string>& signatures) override;
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override;
  void remove(const TagOrDigest& reference) override;
  void finish() override;
  Accepts accepts() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lade
