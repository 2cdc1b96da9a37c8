"""SMPLer: SMPL parameters from an image by decoupled attention, refined block by block.

Source: Xu, Liu, Yan, "SMPLer: Taming Transformers for Monocular 3D Human Shape and Pose
Estimation", IEEE TPAMI 2024. Differs: between blocks only the joints are computed, and the mesh
once after the last block; the output is the same.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_SHAPE_COUNT
from smpler_model.body.smpl import Body
from smpler_model.network.attention import LAYER_NORM_EPS, UNITS
from smpler_model.network.backbone import build_backbone
from smpler_model.network.config import ModelConfig
from smpler_model.network.estimates import Estimate, SmplerOutput, Stage
from smpler_model.network.geometry import project_weak_perspective, rotation_from_6d
from smpler_model.network.keypoint_feedback import FEEDBACK_SIZE, compare_observed, read_observed
from smpler_model.network.limb_alignment import LimbAlignment
from smpler_model.network.limbs import LIMB_ROWS, add_to_limbs, take_limbs
from smpler_model.network.mean_parameters import MeanParameters
from smpler_model.network.sampling import sample_map, sample_patches
from smpler_model.network.trunk_alignment import TrunkAlignment
from smpler_model.network.turn_feedback import TURN_SIZE, add_to_turned, find_turns

JOINT_COUNT = len(SMPL_JOINTS)
SHAPE_QUERY, CAMERA_QUERY = JOINT_COUNT, JOINT_COUNT + 1
QUERY_COUNT = JOINT_COUNT + 2
CAMERA_SIZE = 3


class Regressor(nn.Module):
    """The initial estimate: refines mean parameters a few times from the pooled image feature.

    Source: Kanazawa et al., "End-to-end Recovery of Human Shape and Pose", CVPR 2018. Differs with
    `ModelConfig.first_guess_feedback`, see `keypoint_feedback`.
    """

    initial_pose: Tensor
    initial_shape: Tensor
    initial_camera: Tensor

    def __init__(self, config: ModelConfig, mean: MeanParameters) -> None:
        super().__init__()
        width = config.regressor_width
        pose_size = 6 * JOINT_COUNT
        self.iterations = config.regressor_iterations
        self.hidden = nn.Sequential(
            nn.Linear(config.channels[-1] + pose_size + SMPL_SHAPE_COUNT + CAMERA_SIZE, width),
            nn.ReLU(),
            nn.Dropout(config.regressor_dropout),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(config.regressor_dropout),
        )
        self.feedback = (
            nn.Linear(FEEDBACK_SIZE * len(LIMB_ROWS), width, bias=False)
            if config.first_guess_feedback
            else None
        )
        self.pose_delta = nn.Linear(width, pose_size)
        self.shape_delta = nn.Linear(width, SMPL_SHAPE_COUNT)
        self.camera_delta = nn.Linear(width, CAMERA_SIZE)
        self.register_buffer("initial_pose", torch.tensor(mean.pose_6d)[None])
        self.register_buffer("initial_shape", torch.tensor(mean.betas)[None])
        self.register_buffer("initial_camera", torch.tensor(mean.camera)[None])

    def forward(self, pooled: Tensor, body: Body) -> Estimate:
        """Refine the mean parameters for each image.

        Args:
            pooled: (b, n) mean over pixels of the coarsest map with its n channels.
            body: the body that is posed for the feedback.
        """
        b = len(pooled)  # people
        observed = None if self.feedback is None else read_observed(pooled)
        pose = self.initial_pose.expand(b, -1)
        shape = self.initial_shape.expand(b, -1)
        camera = self.initial_camera.expand(b, -1)
        for _ in range(self.iterations):
            hidden = self.hidden[0](torch.cat((pooled, pose, shape, camera), 1))
            if self.feedback is not None and observed is not None:
                estimate = _make_estimate(pose, shape, camera)
                hidden = hidden + self.feedback(_compare(estimate, observed, body))
            hidden = self.hidden[1:](hidden)
            with _without_autocast(hidden):
                hidden = hidden.to(pose.dtype)
                pose = pose + self.pose_delta(hidden)
                shape = shape + self.shape_delta(hidden)
                camera = camera + self.camera_delta(hidden)
        return _make_estimate(pose, shape, camera)


class QueryEmbedding(nn.Module):
    """Turns an estimate into 26 queries: one per joint, one for shape, one for the camera."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.rotation = nn.Linear(9, config.width)
        self.shape = nn.Linear(SMPL_SHAPE_COUNT, config.width)
        self.camera = nn.Linear(CAMERA_SIZE, config.width)
        self.image = nn.Linear(config.channels[-1], config.width)

    def forward(self, estimate: Estimate, pooled: Tensor) -> Tensor:
        """Return the queries (b, 26, c) for an estimate and the (b, n) pooled coarsest map."""
        joints = self.rotation(estimate.rotations.flatten(2))  # (b, 24, c)
        shape = self.shape(estimate.betas)[:, None]
        camera = self.camera(estimate.camera)[:, None]
        image: Tensor = self.image(pooled)[:, None]
        return torch.cat((joints, shape, camera), 1) + image


class MapProjection(nn.Module):
    """Projects a feature map to the Transformer's width and normalises each pixel."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, width, kernel_size=1)
        self.norm = nn.LayerNorm(width, LAYER_NORM_EPS)

    def forward(self, feature_map: Tensor) -> Tensor:
        """(b, channels, h, w) -> (b, h, w, c)."""
        pixels: Tensor = self.norm(self.convolution(feature_map).permute(0, 2, 3, 1))
        return pixels


class RefinementBlock(nn.Module):
    """One Transformer block: attends to the image around the joints and corrects the estimate."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, side = config.width, config.feature_sizes[0]
        self.dropout = config.dropout
        self.projections = nn.ModuleList(MapProjection(n, c) for n in config.channels)
        self.joint_projection = nn.Linear(c, c)
        self.feedback = (
            nn.Linear(FEEDBACK_SIZE, c, bias=False) if config.keypoint_feedback else None
        )
        self.turn_feedback = nn.Linear(TURN_SIZE, c, bias=False) if config.turn_feedback else None
        self.query_projection = nn.Linear(c, c)
        # A query's index in the sequence tells which joint it belongs to.
        self.query_positions = nn.Parameter(torch.empty(QUERY_COUNT, c))
        self.map_positions = nn.Parameter(torch.empty(1, c, side, side))
        self.units = nn.ModuleList(UNITS[config.attention](config) for _ in range(config.units))
        self.head = nn.Linear(c, c)
        self.residual = nn.Linear(c, c)
        self.rotation_delta = nn.Linear(c, 6)
        self.shape_delta = nn.Linear(c, SMPL_SHAPE_COUNT)
        self.camera_delta = nn.Linear(c, CAMERA_SIZE)

    def forward(
        self,
        queries: Tensor,
        stage: Stage,
        features: Sequence[Tensor],
        body: Body,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, Estimate]:
        """Refine a stage.

        Args:
            queries: (b, 26, c).
            stage: the current estimate, with the joints' positions in the image.
            features: four maps (b, channels, h, w), finest first.
            body: the body that is posed for the feedback.
            observed: (b, 12, 3) the backbone's keypoints, where the model gets feedback.

        Returns:
            The queries for the next block and the new estimate.
        """
        maps = [project(m) for project, m in zip(self.projections, features, strict=True)]
        queries = queries + self._look_at_joints(maps[0], stage.keypoints)
        if self.feedback is not None and observed is not None:
            known = self.feedback(compare_observed(observed, take_limbs(stage.keypoints)))
            queries = add_to_limbs(queries, known)
        if self.turn_feedback is not None and observed is not None:
            with _without_autocast(queries):
                turns = find_turns(stage, observed.to(stage.joints.dtype), body)
            queries = add_to_turned(queries, self.turn_feedback(turns.to(queries.dtype)))
        tokens: Sequence[Tensor] = self._tokens(maps)
        patches = sample_patches(maps[0], stage.keypoints)
        updated = self.query_projection(queries) + self.query_positions
        updated = F.dropout(updated, self.dropout, self.training)
        for unit in self.units:
            updated, tokens = unit(updated, tokens, patches)
        queries = self.head(updated) + self.residual(queries)
        return queries, self._correct(stage, queries)

    def _look_at_joints(self, finest: Tensor, keypoints: Tensor) -> Tensor:
        """Return each joint's pixel of the map for its query, and the mean for the others."""
        seen = self.joint_projection(sample_map(finest, keypoints))  # (b, 24, c)
        mean = seen.mean(1, keepdim=True)
        return torch.cat((seen, mean, mean), 1)  # (b, 26, c)

    def _tokens(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Add position embeddings to every pixel and flatten the grids: (b, h * w, c) each."""
        positions: Tensor = self.map_positions
        tokens = []
        for feature_map in maps:
            tokens.append((feature_map + positions.permute(0, 2, 3, 1)).flatten(1, 2))
            positions = F.avg_pool2d(positions, 2)  # the next map has half the resolution
        return tokens

    def _correct(self, estimate: Estimate, queries: Tensor) -> Estimate:
        with _without_autocast(queries):
            queries = queries.to(estimate.rotations.dtype)
            turn = rotation_from_6d(self.rotation_delta(queries[:, :JOINT_COUNT]))
            return Estimate(
                estimate.rotations @ turn,
                estimate.betas + self.shape_delta(queries[:, SHAPE_QUERY]),
                estimate.camera + self.camera_delta(queries[:, CAMERA_QUERY]),
            )


class BackboneModel(nn.Module):
    """The model of the first training stage: backbone, initial estimate, body; no Transformer."""

    def __init__(self, config: ModelConfig, arrays: BodyArrays, mean: MeanParameters) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config)
        self.regressor = Regressor(config, mean)
        self.body = Body(arrays)

    def forward(self, images: Tensor, *, mesh: bool = True) -> SmplerOutput:
        """Estimate from (b, 3, s, s) normalised images; see `Smpler.forward`."""
        return self._output([self.guess(self.backbone(images))], mesh)

    def guess(self, features: Sequence[Tensor]) -> Stage:
        """Return the initial estimate from four maps, of which it uses the coarsest."""
        return self._observe(self.regressor(features[-1].mean((2, 3)), self.body))

    def _observe(self, estimate: Estimate) -> Stage:
        """Add the joints to an estimate, in space and in the image."""
        with _without_autocast(estimate.rotations):
            joints = self.body.joints(estimate.rotations, estimate.betas)
            keypoints = project_weak_perspective(joints, estimate.camera)
        return Stage(estimate.rotations, estimate.betas, estimate.camera, joints, keypoints)

    def _output(self, stages: Sequence[Stage], mesh: bool) -> SmplerOutput:
        last = stages[-1]
        with _without_autocast(last.rotations):
            surface = self.body.mesh(last.rotations, last.betas) if mesh else None
        return SmplerOutput(tuple(stages), surface)


class Smpler(BackboneModel):
    """The whole network."""

    def __init__(self, config: ModelConfig, arrays: BodyArrays, mean: MeanParameters) -> None:
        super().__init__(config, arrays, mean)
        self.embedding = QueryEmbedding(config)
        self.blocks = nn.ModuleList(RefinementBlock(config) for _ in range(config.blocks))
        self.trunk_alignment = TrunkAlignment(config.width) if config.trunk_alignment else None
        self.limb_alignment = LimbAlignment(config.width) if config.limb_alignment else None

    def forward(self, images: Tensor, *, mesh: bool = True) -> SmplerOutput:
        """Estimate one person in each image.

        Args:
            images: (b, 3, s, s) square crops, RGB, normalised with the config's mean and std.
            mesh: whether to compute the mesh of the last stage.
        """
        return self._output(self.refine(self.backbone(images)), mesh)

    def refine(self, features: Sequence[Tensor]) -> list[Stage]:
        """Return the initial estimate and its refinements from four maps, strides 4 to 32.

        The last one is aligned with the backbone's keypoints where the model does so.
        """
        stages, queries, observed = self.refine_by_blocks(features)
        return [*stages[:-1], self.align(stages[-1], queries, observed)]

    def refine_by_blocks(
        self, features: Sequence[Tensor]
    ) -> tuple[list[Stage], Tensor, Tensor | None]:
        """Return the estimates without alignment, and what `align` needs beside the last one."""
        pooled = features[-1].mean((2, 3))
        stages = [self.guess(features)]
        queries = self.embedding(stages[0], pooled)
        observed = read_observed(pooled) if self.config.uses_keypoints else None
        for block in self.blocks:
            queries, estimate = block(queries, stages[-1], features, self.body, observed)
            stages.append(self._observe(estimate))
        return stages, queries, observed

    def align(self, stage: Stage, queries: Tensor, observed: Tensor | None) -> Stage:
        """Return a stage with trunk and limbs turned towards keypoints, where the model does so.

        Args:
            stage: the estimate of the last block.
            queries: (b, 26, c) that block's.
            observed: (b, 12, 3) the backbone's keypoints, where the model uses them.
        """
        if observed is None:
            return stage
        with _without_autocast(queries):
            known = [each.to(stage.joints.dtype) for each in (queries, observed)]
            for alignment in (self.trunk_alignment, self.limb_alignment):
                if alignment is not None:
                    stage = self._observe(alignment(stage, *known, self.body))
        return stage


def _make_estimate(pose: Tensor, shape: Tensor, camera: Tensor) -> Estimate:
    with _without_autocast(pose):
        rotations = rotation_from_6d(pose.reshape(-1, JOINT_COUNT, 6))
    return Estimate(rotations, shape, camera)


def _compare(estimate: Estimate, observed: Tensor, body: Body) -> Tensor:
    """Return the feedback for an estimate (b, 36)."""
    with _without_autocast(estimate.rotations):
        joints = body.joints(estimate.rotations, estimate.betas)
        keypoints = project_weak_perspective(joints, estimate.camera)
        return compare_observed(observed.to(keypoints.dtype), take_limbs(keypoints)).flatten(1)


def _without_autocast(like: Tensor) -> AbstractContextManager[object]:
    """Keep rotations, body and camera at full precision, as half precision is too coarse.

    No context is entered unless autocast is on, so that exporters do not see it.
    """
    kind = like.device.type
    active = torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if active else nullcontext()
