/// The images that FROM and --from name: their documents at once, their layers when they are
/// needed.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "libimage/build/build_run.h"
#include "libimage/build/stage_graph.h"
#include "libimage/copy/copy.h"

namespace lade::build {

/// An image for one platform. Made by one thread; fetch() is for all.
class BaseImage final : public LayerSource, public std::enable_shared_from_this<BaseImage> {
 public:
  /// Finds the image and reads its manifest and config; its layers stay where they are, unless the
  /// documents have to be converted for the store.
  static std::shared_ptr<BaseImage> open(BuildRun& run, const ImageRef& image,
                                         std::stop_token stop);

  /// What a stage FROM the image starts with.
  [[nodiscard]] StageState state();
  /// Copies the image into the store, unless `blob` is there. Others who need it meanwhile wait.
  void fetch(const oci::Descriptor& blob) override;
  /// All that is missing, unless somebody is at it.
  void fetch_ahead();

 private:
  BaseImage(BuildRun& run, const ImageRef& image, ResolvedBase found, CopyPlan plan,
            CopyOptions options, std::stop_token stop);
  void read_documents();
  void copy();  // under fetching_
  std::string read_config();

  BuildRun& run_;
  const ImageRef& image_;
  const ResolvedBase found_;
  const CopyPlan plan_;
  const CopyOptions options_;
  const std::stop_token stop_;
  std::optional<oci::Manifest> manifest_ = {};  // as in the store
  std::string config_ = {};
  std::mutex fetching_;
  std::optional<oci::Descriptor> fetched_ = {};  // guarded by fetching_: the copy
};

/// What a stage FROM scratch starts with.
StageState empty_state(const BuildRun& run, const oci::Platform& platform);

/// Brings the layers of `root` into the store that are not there, `jobs` at once.
void fetch_layers(LocalStore& store, const RootFs& root, unsigned jobs,
                  const std::stop_token& stop);

}  // namespace lade::build
