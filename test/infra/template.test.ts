/** What the synthesised template says, by subject: in one process, for loading the CDK takes longer than all of it. */
import './template/access.ts'
import './template/cdk-nag.ts'
import './template/delivery.ts'
import './template/lasting-state.ts'
import './template/least-privilege.ts'
import './template/monitoring.ts'
