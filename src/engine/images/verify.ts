// `image verify`: everything in the store against its digests, and the files of unpacked layers against their archives.
import { applyLayer } from '../../image/layer/apply.ts';
import { treeDifference } from '../../image/layer/difference.ts';
import type { LayerFacts } from '../../image/store/layers.ts';
import type { ArchivedLayer, LayerFiles, VerifyReport } from '../../image/store/verify.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Shop } from './shop.ts';

export interface VerifyImagesOptions {
  /** Only tells. */
  readonly dryRun: boolean;
  /** Leaves the files of unpacked layers alone. */
  readonly quick: boolean;
}

/** Throws CaissonError `EDISK` when the disk does not answer. */
export async function verifyImages(
  shop: Shop,
  { dryRun, quick }: VerifyImagesOptions,
): Promise<VerifyReport> {
  return await shop.store.verify({ dryRun, ...(quick ? {} : { files: layerFiles(shop) }) });
}

/** A layer is unpacked once more, and the two trees are compared: that leaves no case out that unpacking knows. */
function layerFiles({ port, store }: Shop): LayerFiles {
  let begun = 0;
  return {
    unpack: async ({ descriptor, chain }, target): Promise<LayerFacts> => {
      const cause = `layer ${chain}`;
      // The kernel's clock of files runs some milliseconds behind.
      begun = Math.floor(Date.now() / 1000) - 1;
      const content = store.blobs.stream(descriptor);
      const applied = await applyLayer(port, content, descriptor.mediaType, target, {
        cause,
        form: 'overlay',
      });
      return {
        diffId: applied.diffId,
        size: applied.fileBytes,
        members: applied.members,
        owners: applied.owners === 'kept' ? 'keep' : 'squash',
        xattrs: applied.userxattr ? 'user' : 'trusted',
        ...(applied.opaqueRoot ? { opaqueRoot: true } : {}),
        ...(applied.namesRoot ? { namesRoot: true } : {}),
      };
    },
    difference: async (layer, found, expected, facts) => {
      refuseOtherOwners(layer, facts);
      return await treeDifference(port, found, expected, { cause: `layer ${layer.chain}`, begun });
    },
  };
}

/** A layer from before the user got subordinate ids, or lost them, has other owners, and rightly. */
function refuseOtherOwners({ facts }: ArchivedLayer, { owners, xattrs }: LayerFacts): void {
  const same = (facts.owners ?? owners) === owners && (facts.xattrs ?? xattrs) === xattrs;
  if (same) return;
  throw new CaissonError('it was unpacked with other rights (subordinate ids) than there are now', {
    code: 'EUNSUPPORTED',
  });
}
