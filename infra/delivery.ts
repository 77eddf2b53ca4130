import { Annotations, Aws, Duration, Names, Validations } from 'aws-cdk-lib'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import {
  AccessLevel,
  AllowedMethods,
  type BehaviorOptions,
  CachedMethods,
  CacheHeaderBehavior,
  CachePolicy,
  CacheQueryStringBehavior,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  type IOrigin,
  ResponseHeadersPolicy,
  S3OriginAccessControl,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront'
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { askedFor, withoutPrefixAndHash } from './artifact-names.ts'
import { readableBy } from './guards.ts'
import type { Storage } from './storage.ts'

export interface DeliveryProps {
  readonly storage: Storage
  readonly domainNames: readonly string[] | undefined
  readonly certificateArn: string | undefined
  readonly webAclArn: string | undefined
  readonly artifactBucketName: string | undefined
  readonly downloadLogs: boolean
}

/** How clients get metadata: a distribution that is the only reader of its bucket beside the service itself. */
export class Delivery extends Construct {
  readonly distribution: Distribution
  /** Where clients find `timestamp.json`; ends in a slash. */
  readonly metadataUrl: string

  constructor(scope: Construct, id: string, props: DeliveryProps) {
    super(scope, id)
    const { storage, domainNames, certificateArn, artifactBucketName } = props
    const metadata = this.#origin(storage.metadata)
    const common = this.#common()
    const immutable = { ...common, origin: metadata, cachePolicy: this.#caching('Immutable', 'versioned metadata') }
    const fresh = { ...common, origin: metadata, cachePolicy: CachePolicy.CACHING_DISABLED }
    this.distribution = new Distribution(this, 'Distribution', {
      comment: `${this.node.path}: TUF metadata`,
      defaultBehavior: immutable,
      additionalBehaviors: {
        // SUCCESS of a task means that clients see it: this one file is asked for at the bucket, every time.
        'metadata/timestamp.json': fresh,
        ...(artifactBucketName !== undefined && {
          'artifacts/*': this.#artifacts(artifactBucketName, common),
        }),
      },
      // Not there, and so a 404: it keeps `/` from listing the bucket.
      defaultRootObject: 'index.html',
      // A client looks for the next root again and again until it is there.
      errorResponses: [403, 404].map((httpStatus) => ({ httpStatus, ttl: Duration.seconds(0) })),
      httpVersion: HttpVersion.HTTP2_AND_3,
      ...(props.downloadLogs && {
        enableLogging: true,
        logBucket: storage.accessLogs,
        logFilePrefix: 'distribution/',
      }),
      ...(domainNames !== undefined && { domainNames: [...domainNames] }),
      ...(certificateArn !== undefined && {
        minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
        certificate: Certificate.fromCertificateArn(this, 'Certificate', certificateArn),
      }),
      ...(props.webAclArn !== undefined && { webAclId: props.webAclArn }),
    })
    storage.metadataPolicy.document.addStatements(...readableBy(this.distribution.distributionArn, storage.metadata))
    this.metadataUrl = `https://${domainNames?.[0] ?? this.distribution.distributionDomainName}/metadata/`
    this.#acknowledge(props)
  }

  /** The bucket behind an origin access control. Its policy is written in `guards.ts`, for a new bucket and an existing one alike. */
  #origin(bucket: IBucket): IOrigin {
    const reference = Bucket.fromBucketAttributes(this, 'MetadataOrigin', {
      bucketArn: bucket.bucketArn,
      bucketRegionalDomainName: bucket.bucketRegionalDomainName,
    })
    return this.#originOf(reference, 'metadata')
  }

  #originOf(bucket: IBucket, what: string): IOrigin {
    const originAccessControl = new S3OriginAccessControl(this, `${what}-access`, {
      originAccessControlName: this.#nameOf(what),
    })
    return S3BucketOrigin.withOriginAccessControl(bucket, {
      originAccessControl,
      originAccessLevels: [AccessLevel.READ],
    })
  }

  /** What the edge knows it knows by names that an account has once for all regions: the same stack may stand in another one. */
  #nameOf(what: string): string {
    // At most 64 characters with the longest region.
    return `${Aws.REGION}-${Names.uniqueResourceName(this, { maxLength: 38 })}-${what}`
  }

  #artifacts(bucketName: string, common: Omit<BehaviorOptions, 'origin'>): BehaviorOptions {
    const bucket = Bucket.fromBucketName(this, 'ArtifactBucket', bucketName)
    return {
      ...common,
      origin: this.#originOf(bucket, 'artifacts'),
      cachePolicy: this.#caching('ByAskedName', 'artifacts', CacheHeaderBehavior.allowList(askedFor)),
      functionAssociations: [
        {
          eventType: FunctionEventType.VIEWER_REQUEST,
          function: new EdgeFunction(this, 'ArtifactNames', {
            comment: 'Turns /artifacts/DIRECTORY/HASH.NAME into DIRECTORY/NAME',
            code: FunctionCode.fromInline(withoutPrefixAndHash),
            runtime: FunctionRuntime.JS_2_0,
          }),
        },
      ],
    }
  }

  #common() {
    return {
      viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      allowedMethods: AllowedMethods.ALLOW_GET_HEAD,
      cachedMethods: CachedMethods.CACHE_GET_HEAD,
      compress: true,
      responseHeadersPolicy: new ResponseHeadersPolicy(this, 'Headers', {
        responseHeadersPolicyName: this.#nameOf('headers'),
        comment: 'Tuffet: TLS for a year, no guessing of types, no frames',
        securityHeadersBehavior: {
          strictTransportSecurity: {
            accessControlMaxAge: Duration.days(365),
            includeSubdomains: false,
            override: true,
          },
          contentTypeOptions: { override: true },
          frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
          referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override: true },
        },
      }),
    }
  }

  /** For as long as the bucket says; without a word from it, a day. */
  #caching(id: string, what: string, headerBehavior = CacheHeaderBehavior.none()): CachePolicy {
    return new CachePolicy(this, id, {
      comment: `Tuffet: ${what}`,
      minTtl: Duration.seconds(0),
      defaultTtl: Duration.days(1),
      maxTtl: Duration.days(365),
      headerBehavior,
      queryStringBehavior: CacheQueryStringBehavior.none(),
      enableAcceptEncodingGzip: true,
      enableAcceptEncodingBrotli: true,
    })
  }

  #acknowledge({ certificateArn, webAclArn, artifactBucketName, downloadLogs }: DeliveryProps): void {
    const acknowledge = (id: string, reason: string) => Validations.of(this.distribution).acknowledge({ id, reason })
    acknowledge(
      'AwsSolutions-CFR1',
      'Updates are for clients everywhere; who must keep a country out brings a web ACL.',
    )
    if (webAclArn === undefined) {
      acknowledge(
        'AwsSolutions-CFR2',
        'Only GET and HEAD of public files reach the bucket, so there is nothing to filter; tuffet:webAclArn puts a web ACL in front.',
      )
    }
    if (!downloadLogs) {
      acknowledge('AwsSolutions-CFR3', 'CloudFront delivers no logs to buckets of some regions: tuffet:downloadLogs.')
    }
    if (certificateArn === undefined) {
      acknowledge(
        'AwsSolutions-CFR4',
        'The certificate of cloudfront.net leaves no choice of protocols; tuffet:certificateArn asks for TLS 1.2 and later. Metadata is signed, whatever carries it.',
      )
    }
    Annotations.of(this).acknowledgeWarning(
      '@aws-cdk/aws-cloudfront-origins:updateImportedBucketPolicyOac',
      artifactBucketName === undefined
        ? 'The policy of the metadata bucket is written by hand.'
        : 'The policy of the metadata bucket is written by hand; that of the artifact bucket belongs to its owner (docs/deploy.md).',
    )
  }
}
