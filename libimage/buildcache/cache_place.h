/// Where a cache is written: a name in a store that several builds write at once.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libimage/store/layout_store.h"
#include "libimage/store/store.h"

namespace lade::buildcache {

/// Used by one thread.
class CachePlace {
 public:
  virtual ~CachePlace() = default;
  virtual Reader& reader() = 0;
  virtual Writer& writer() = 0;
  /// What the name points to now.
  virtual std::optional<oci::Descriptor> current() = 0;
  /// Lets the name point to `next`, which is stored, if it still points to `expected`; false, and
  /// nothing is lost, if somebody else moved it.
  virtual bool replace(const std::optional<oci::Descriptor>& expected,
                       const oci::Descriptor& next) = 0;
};

/// Waits; a parameter for tests.
using Wait = std::function<void(std::chrono::milliseconds)>;

/// A tag of a repository. Registries have no conditional update, so that replace() looks before
/// and after: it takes longer than anybody else who looked before us needs to overwrite us, then
/// tells who won.
class TagPlace final : public CachePlace {
 public:
  TagPlace(std::unique_ptr<Reader> reader, std::unique_ptr<Writer> writer, Tag tag, Wait wait);
  Reader& reader() override { return *reader_; }
  Writer& writer() override { return *writer_; }
  std::optional<oci::Descriptor> current() override;
  bool replace(const std::optional<oci::Descriptor>& expected,
               const oci::Descriptor& next) override;

 private:
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Writer> writer_;
  Tag tag_;
  Wait wait_;
};

/// A name of an OCI layout, as BuildKit's type=local has it: replaced under the layout's lock. What
/// only the replaced document needed is removed.
class LayoutPlace final : public CachePlace {
 public:
  LayoutPlace(const std::string& directory, std::string name);
  Reader& reader() override { return layout_; }
  Writer& writer() override { return layout_; }
  std::optional<oci::Descriptor> current() override;
  bool replace(const std::optional<oci::Descriptor>& expected,
               const oci::Descriptor& next) override;

 private:
  LayoutStore layout_;
  std::string name_;
};

}  // namespace lade::buildcache
